"""What is wrong with a row, said to the person who can mend it: sheet, row, column, reason."""

from dataclasses import dataclass

from billing.labels import LabelEnum


class Reason(LabelEnum):
    """Why a cell or row cannot be taken; the label is the sentence, with its blanks."""

    REQUIRED = "required", "必填"
    NOT_APPLICABLE = "not_applicable", "此处不适用，请留空"
    NOT_TEXT = "not_text", "应为文字"
    TOO_LONG = "too_long", "不能超过{most}个字"
    UNPRINTABLE = "unprintable", "含有不可见字符"
    DIGITS_LOST = "digits_lost", "超过15位的号码会丢失末位，请把该列设为文本格式后重填"
    TURNED_INTO_DATE = "turned_into_date", "被 Excel 变成了日期，请把该列设为文本格式后重填"
    NOT_CODE = "not_code", "“{shown}”不是编码，只能用小写字母、数字和下划线，以字母开头"
    NOT_ROOM = "not_room", "“{shown}”不是房号，请写成 3-2-501"
    NOT_PHONE = "not_phone", "不是电话号码"
    NOT_NUMBER = "not_number", "“{shown}”不是数字"
    NOT_WHOLE = "not_whole", "必须是整数"
    TOO_MANY_DECIMALS = "too_many_decimals", "最多{most}位小数"
    NEGATIVE = "negative", "不能为负数"
    NOT_ABOVE_ZERO = "not_above_zero", "必须大于0"
    OUT_OF_RANGE = "out_of_range", "应在{least}至{most}之间"
    NOT_DATE = "not_date", "“{shown}”不是日期，请写成 2026-11-01"
    IN_FUTURE = "in_future", "不能晚于今天"
    DATES_DESCEND = "dates_descend", "不能早于开始日期"
    NOT_CHOICE = "not_choice", "“{shown}”不在可选范围：{options}"
    FORMULA_FAILED = "formula_failed", "公式出错，没有结果"
    FORMULA_UNCOUNTED = "formula_uncounted", "公式没有算出结果，请在 Excel 中打开并保存"
    UNKNOWN_SHEET = "unknown_sheet", "不认识的工作表，请使用模板中的名称"
    UNKNOWN_COLUMN = "unknown_column", "不认识的列，请使用模板中的标题"
    MISSING_COLUMN = "missing_column", "缺少该列"
    REPEATED_COLUMN = "repeated_column", "该列出现了两次"
    NO_HEADINGS = "no_headings", "没有标题行，请使用模板"
    NO_ROWS = "no_rows", "没有任何数据行"
    REPEATED = "repeated", "与第{other}行重复"
    OVERLAPS = "overlaps", "日期与第{other}行重叠"
    OVERLAPS_BOOKED = "overlaps_booked", "日期与已有记录重叠"
    UNKNOWN = "unknown", "“{shown}”不存在：表中没有正确的一行，系统中也没有"
    FIXED = "fixed", "已有记录为“{known}”，导入不能更改"
    BILLED = "billed", "已按“{known}”出过账，不能再改"
    BOOKED = "booked", "已按“{known}”入账，不能再改"
    CONTRADICTED = "contradicted", "与已有读数矛盾"
    TAKEN = "taken", "已被“{known}”使用"
    TIERS_UNREADABLE = "tiers_unreadable", "阶梯应写成 180:5.00;:7.00（上限:单价，末档上限留空）"
    TIERS_LAST_OPEN = "tiers_last_open", "只有最后一档不写上限"
    TIERS_DESCEND = "tiers_descend", "各档上限必须依次增大"
    NO_AREA = "no_area", "车位没有面积，不能按面积计价"
    TIERED_PRICE = "tiered_price", "阶梯计价的项目不能约定单价"
    HAS_PRICE = "has_price", "该项目有自己的收费标准，不能用来分摊"
    HAS_COSTS = "has_costs", "该项目已有公摊费用，不能再定收费标准"
    PRICE_REFUSED = "price_refused", "收费标准不能计算：{shown}"
    TOTAL_FALLS = "total_falls", "用量超过{at}时总价反而下降：{before}元变为{after}元"
    PERCENT_OR_AMOUNT = "percent_or_amount", "折扣比例和优惠金额必须且只能填一项"
    AMOUNT_OR_USAGE = "amount_or_usage", "填总金额，或同时填用量和单价，二者选一"
    NOT_HERE = "not_here", "“{shown}”不是“{room}”的车位"
    OTHER_COMMUNITY = "other_community", "“{shown}”不是本小区，只能导入“{known}”的资料"
    MANAGERS_ONLY = "managers_only", "只有经理可以更改，请由经理导入"
    OWN_NAME_ONLY = "own_name_only", "只能由批准人本人导入，您是“{known}”"
    BILLED_UNTIL = "billed_until", "已出账至{until}，请从之后开始"
    SUPPLIERS_PRICE = "suppliers_price", "代收项目按供应方的价格收，不能约定单价"
    COLLECTOR_FIXED = "collector_fixed", "收款商户只能由管理全部小区的经理更改"
    TWO_PHONES = "two_phones", "同一人在第{other}行是另一个电话"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a workbook. `row` counts as Excel does, from 1; 0 means the whole sheet."""

    sheet: str
    row: int
    column: str
    reason: str

    def as_json(self) -> dict[str, str | int]:
        """The shape of `mingzhang import`."""
        return {
            "sheet": self.sheet,
            "row": self.row,
            "column": self.column,
            "reason": self.reason,
        }


class Unreadable(Exception):
    """A cell that is not what its column holds; the parser adds where it stands."""

    def __init__(self, reason: Reason, **blanks: object) -> None:
        super().__init__(reason.value)
        self.sentence = reason.label.format(**blanks)
