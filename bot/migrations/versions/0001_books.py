"""Property, people, tariffs, bills, journal and payments, with the guards of the journal."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from billing.db import MoneyColumn, PeriodColumn

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

GUARDS = [
    # Corrections are reversals: nothing in the journal is ever changed or removed.
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% on % is refused: the journal only grows, correct by reversal',
            TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """
        for table in ("journal_entry", "posting")
    ),
    # A statement must bring all postings of every entry it touches, numbered from 1, balanced to
    # the entry's total. With the primary key this also means an entry is never extended later.
    """
    CREATE FUNCTION check_postings() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE wrong bigint;
    BEGIN
        SELECT fresh_entry.entry_id INTO wrong
        FROM (SELECT community_id, entry_id, count(*) AS postings,
                     min(no) AS first, max(no) AS last,
                     sum(debit) AS debit, sum(credit) AS credit
              FROM fresh GROUP BY community_id, entry_id) fresh_entry
        LEFT JOIN journal_entry entry
               ON entry.community_id = fresh_entry.community_id AND entry.id = fresh_entry.entry_id
        WHERE entry.id IS NULL OR fresh_entry.postings <> entry.postings
           OR fresh_entry.first <> 1 OR fresh_entry.last <> entry.postings
           OR fresh_entry.debit <> entry.total OR fresh_entry.credit <> entry.total
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'postings do not complete and balance journal entry %', wrong
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER complete_and_balanced AFTER INSERT ON posting
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION check_postings()
    """,
    # An entry without postings cannot be committed.
    """
    CREATE FUNCTION check_entry_posted() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT 1 FROM posting
                       WHERE community_id = NEW.community_id AND entry_id = NEW.id) THEN
            RAISE EXCEPTION 'journal entry % has no postings', NEW.id
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER posted AFTER INSERT ON journal_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_entry_posted()
    """,
    # A confirmed payment is history: correct it by a refund or a reversal, never by an edit.
    """
    CREATE FUNCTION refuse_confirmed_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.state, NEW.amount, NEW.unit_id, NEW.out_trade_no, NEW.transaction_id)
           IS DISTINCT FROM (OLD.state, OLD.amount, OLD.unit_id, OLD.out_trade_no,
                             OLD.transaction_id) THEN
            RAISE EXCEPTION 'payment % is confirmed and cannot be changed', OLD.out_trade_no
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER confirmed_is_final BEFORE UPDATE ON payment
    FOR EACH ROW WHEN (OLD.state = 'confirmed') EXECUTE FUNCTION refuse_confirmed_change()
    """,
]


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "discrepancy",
                "code_guessing",
                "sending_stopped",
                "check_failed",
                name="alertkind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "key", sa.Text(), nullable=False, comment="a sentence; the same key is not raised twice"
        ),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        comment="Alerts for staff (异常提醒)",
    )
    op.create_index(
        "uq_alert_open",
        "alert",
        ["key"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "fact",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "bill_issued",
                "payment_confirmed",
                "binding_requested",
                "binding_added",
                "binding_refused",
                "alert_raised",
                name="factkind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("unit_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "ref_id",
            sa.BigInteger(),
            nullable=False,
            comment="bill, payment, binding or alert, by kind",
        ),
        sa.Column("amount", MoneyColumn(), nullable=True),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_fact")),
        comment="Changes of the books, in the order they were recorded",
    )
    op.create_index(
        "ix_fact_waiting",
        "fact",
        ["id"],
        unique=False,
        postgresql_where=sa.text("taken_at IS NULL"),
    )
    op.create_table(
        "follower",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("openid", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("followed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "unfollowed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="null while following",
        ),
        sa.Column(
            "last_message_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="opens the 48-hour window of service messages",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follower")),
        sa.UniqueConstraint("openid", name=op.f("uq_follower_openid")),
        comment="Followers (粉丝) of the official account",
    )
    op.create_table(
        "merchant_account",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column(
            "provider",
            sa.Enum("wechat_pay", name="provider", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("mchid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merchant_account")),
        sa.UniqueConstraint("code", name=op.f("uq_merchant_account_code")),
        sa.UniqueConstraint("provider", "mchid", name=op.f("uq_merchant_account_provider_mchid")),
        comment="Merchant accounts at payment providers; one payment never spans two",
    )
    op.create_table(
        "binding_attempt",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("follower_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_binding_attempt_follower_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_binding_attempt")),
        comment="Wrong binding codes, for lock-out and alerts",
    )
    op.create_index("ix_binding_attempt_at", "binding_attempt", ["at"], unique=False)
    op.create_index(
        "ix_binding_attempt_follower", "binding_attempt", ["follower_id", "at"], unique=False
    )
    op.create_table(
        "community",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "company",
            sa.Text(),
            nullable=False,
            comment="the property company that bills (物业公司)",
        ),
        sa.Column(
            "service_phone",
            sa.Text(),
            nullable=False,
            comment="public telephone of the service desk",
        ),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "billing_day",
            sa.BigInteger(),
            nullable=False,
            comment="day of month on which bills are issued",
        ),
        sa.Column(
            "due_day",
            sa.BigInteger(),
            nullable=False,
            comment="day of month on which a bill falls due",
        ),
        sa.Column("due_month_offset", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("billing_day BETWEEN 1 AND 28", name=op.f("ck_community_billing_day")),
        sa.CheckConstraint("due_day BETWEEN 1 AND 31", name=op.f("ck_community_due_day")),
        sa.CheckConstraint(
            "due_month_offset BETWEEN 0 AND 12", name=op.f("ck_community_due_month_offset")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant_account.id"], name=op.f("fk_community_merchant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_community")),
        sa.UniqueConstraint("code", name=op.f("uq_community_code")),
        comment="Communities (小区) and their billing policy",
    )
    op.create_table(
        "discrepancy",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "unknown_order",
                "wrong_merchant",
                "wrong_amount",
                "wrong_payer",
                "paid_twice",
                name="discrepancykind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("out_trade_no", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant_account.id"], name=op.f("fk_discrepancy_merchant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discrepancy")),
        sa.UniqueConstraint(
            "merchant_id",
            "out_trade_no",
            "kind",
            "transaction_id",
            name=op.f("uq_discrepancy_merchant_id_out_trade_no_kind_transaction_id"),
        ),
        comment="Disagreements between provider and books (差错)",
    )
    op.create_table(
        "provider_order",
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("out_trade_no", sa.Text(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant_account.id"], name=op.f("fk_provider_order_merchant_id")
        ),
        sa.PrimaryKeyConstraint("merchant_id", "out_trade_no", name=op.f("pk_provider_order")),
        sa.UniqueConstraint(
            "merchant_id",
            "transaction_id",
            name=op.f("uq_provider_order_merchant_id_transaction_id"),
        ),
        comment="Our order numbers at each merchant account, and the payment each belongs to",
    )
    op.create_table(
        "account",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_account_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_account")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_account_community_id_code")),
        comment="Chart of accounts (科目)",
    )
    op.create_table(
        "bill_run",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("period", PeriodColumn(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("summary", JSONB(), nullable=False, comment="created, existing, skipped, parked"),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_bill_run_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_bill_run")),
        comment="Bill runs (出账批次)",
    )
    op.create_table(
        "building",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_building_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_building")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_building_community_id_code")),
        comment="Buildings (楼栋)",
    )
    op.create_table(
        "charge_item",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="as printed on the bill"),
        sa.Column(
            "fee",
            sa.Enum(
                "property",
                "parking",
                "water",
                "electricity",
                "gas",
                "heating",
                "shared",
                "garbage",
                "elevator",
                "deposit",
                "renovation",
                "late_fee",
                "pump",
                name="feekind",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "subject_kind",
            sa.Enum("home", "shop", "parking", name="subjectkind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column(
            "cycle_months",
            sa.BigInteger(),
            nullable=False,
            comment="1 monthly, 3 quarterly, 12 yearly",
        ),
        sa.Column("active_from", sa.Date(), nullable=False),
        sa.Column("active_to", sa.Date(), nullable=True),
        sa.CheckConstraint("cycle_months IN (1, 3, 12)", name=op.f("ck_charge_item_cycle_months")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_charge_item_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_charge_item")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_charge_item_community_id_code")),
        comment="Charge items (收费项目)",
    )
    op.create_table(
        "journal_entry",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "bill_issued", "payment", "reversal", name="entrykind", native_enum=False, length=32
            ),
            nullable=False,
        ),
        sa.Column(
            "idempotency_key",
            sa.Text(),
            nullable=False,
            comment="a sentence, e.g. payment:<out_trade_no>",
        ),
        sa.Column("source_id", sa.BigInteger(), nullable=False, comment="bill or payment, by kind"),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("postings", sa.BigInteger(), nullable=False),
        sa.Column(
            "total",
            MoneyColumn(),
            nullable=False,
            comment="sum of the debits = sum of the credits, fen",
        ),
        sa.Column("reverses_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("postings >= 2", name=op.f("ck_journal_entry_two_sides")),
        sa.CheckConstraint("total > 0", name=op.f("ck_journal_entry_total_positive")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_journal_entry_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_journal_entry")),
        sa.UniqueConstraint(
            "community_id",
            "idempotency_key",
            name=op.f("uq_journal_entry_community_id_idempotency_key"),
        ),
        comment="Journal entries (凭证), append-only",
    )
    op.create_table(
        "resident",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name_sealed", sa.Text(), nullable=False),
        sa.Column("phone_sealed", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_resident_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_resident")),
        comment="People known to a community; personal data encrypted",
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "manager",
                "accountant",
                "cashier",
                "service",
                "reader",
                name="staffrole",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("community_id", sa.BigInteger(), nullable=True),
        sa.Column("follower_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_staff_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_staff_follower_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("follower_id", name=op.f("uq_staff_follower_id")),
        sa.UniqueConstraint("login", name=op.f("uq_staff_login")),
        comment="Staff of the property company",
    )
    op.create_table(
        "subject",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("home", "shop", "parking", name="subjectkind", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("code", sa.Text(), nullable=False, comment="room 3-2-501, space B1-088"),
        sa.Column("unit_id", sa.BigInteger(), nullable=False, comment="the account that is billed"),
        sa.Column(
            "billable_from",
            sa.Date(),
            nullable=False,
            comment="first charged day (hand-over or lease)",
        ),
        sa.Column("billable_to", sa.Date(), nullable=True, comment="first day no longer charged"),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_subject_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_subject")),
        sa.UniqueConstraint(
            "community_id", "kind", "code", name=op.f("uq_subject_community_id_kind_code")
        ),
        comment="What a charge can attach to: homes, shops, parking spaces",
    )
    op.create_index("ix_subject_unit", "subject", ["community_id", "unit_id"], unique=False)
    op.create_table(
        "bill_run_chunk",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("no", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("draft", "issued", name="chunkstate", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "(state = 'draft') = (issued_on IS NULL) AND (issued_on IS NULL) = (due_on IS NULL)",
            name=op.f("ck_bill_run_chunk_issued_has_dates"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "run_id"],
            ["bill_run.community_id", "bill_run.id"],
            name=op.f("fk_bill_run_chunk_community_id_run_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "run_id", "no", name=op.f("pk_bill_run_chunk")),
        comment="Chunks of bill runs; their state is the state of their bills",
    )
    op.create_table(
        "entrance",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("building_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "building_id"],
            ["building.community_id", "building.id"],
            name=op.f("fk_entrance_community_id_building_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_entrance")),
        sa.UniqueConstraint(
            "community_id",
            "building_id",
            "code",
            name=op.f("uq_entrance_community_id_building_id_code"),
        ),
        comment="Entrances (单元) of buildings",
    )
    op.create_table(
        "parking_space",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("area", sa.Text(), nullable=False, comment="part of the garage, e.g. B1"),
        sa.Column("plate", sa.Text(), nullable=True, comment="plate of the car that is kept here"),
        sa.ForeignKeyConstraint(
            ["community_id", "id"],
            ["subject.community_id", "subject.id"],
            name=op.f("fk_parking_space_community_id_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_parking_space")),
        comment="Parking spaces (车位)",
    )
    op.create_table(
        "posting",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("no", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=True),
        sa.Column("bill_id", sa.BigInteger(), nullable=True),
        sa.Column("debit", MoneyColumn(), nullable=False),
        sa.Column("credit", MoneyColumn(), nullable=False),
        sa.CheckConstraint(
            "debit >= 0 AND credit >= 0 AND (debit = 0) <> (credit = 0)",
            name=op.f("ck_posting_one_side"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "account_id"],
            ["account.community_id", "account.id"],
            name=op.f("fk_posting_community_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "entry_id"],
            ["journal_entry.community_id", "journal_entry.id"],
            name=op.f("fk_posting_community_id_entry_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "entry_id", "no", name=op.f("pk_posting")),
        comment="Postings (分录), append-only",
    )
    op.create_index(
        "ix_posting_unit", "posting", ["community_id", "account_id", "unit_id"], unique=False
    )
    op.create_table(
        "tariff",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("price", JSONB(), nullable=False),
        sa.Column(
            "basis_document",
            sa.Text(),
            nullable=False,
            comment="contract clause or filing shown to owners",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "item_id"],
            ["charge_item.community_id", "charge_item.id"],
            name=op.f("fk_tariff_community_id_item_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_tariff")),
        sa.UniqueConstraint(
            "community_id",
            "item_id",
            "effective_from",
            name=op.f("uq_tariff_community_id_item_id_effective_from"),
        ),
        comment="Versions of a charge item's price (收费标准)",
    )
    op.create_table(
        "unit",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("building_id", sa.BigInteger(), nullable=False),
        sa.Column("entrance_id", sa.BigInteger(), nullable=True),
        sa.Column("room", sa.Text(), nullable=False, comment="canonical room number, e.g. 3-2-501"),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("billable_area_m2", sa.Numeric(precision=10, scale=2), nullable=False),
        sa.CheckConstraint("billable_area_m2 > 0", name=op.f("ck_unit_area_positive")),
        sa.ForeignKeyConstraint(
            ["community_id", "building_id"],
            ["building.community_id", "building.id"],
            name=op.f("fk_unit_community_id_building_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "entrance_id"],
            ["entrance.community_id", "entrance.id"],
            name=op.f("fk_unit_community_id_entrance_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "id"],
            ["subject.community_id", "subject.id"],
            name=op.f("fk_unit_community_id_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_unit")),
        sa.UniqueConstraint("community_id", "room", name=op.f("uq_unit_community_id_room")),
        comment="Homes and shops: the accounts that are billed",
    )
    op.create_table(
        "bill",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("chunk_no", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("period", PeriodColumn(), nullable=False),
        sa.Column("amount", MoneyColumn(), nullable=False, comment="sum of the lines, fen"),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_bill_amount")),
        sa.ForeignKeyConstraint(
            ["community_id", "run_id", "chunk_no"],
            ["bill_run_chunk.community_id", "bill_run_chunk.run_id", "bill_run_chunk.no"],
            name=op.f("fk_bill_community_id_run_id_chunk_no"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_bill_community_id_unit_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_bill")),
        comment="Bills (账单); issued when their chunk is",
    )
    op.create_index("ix_bill_chunk", "bill", ["community_id", "run_id", "chunk_no"], unique=False)
    op.create_index("ix_bill_unit", "bill", ["community_id", "unit_id"], unique=False)
    op.create_table(
        "binding",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("follower_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("owner", "tenant", "member", name="residentrole", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "requested",
                "active",
                "refused",
                "ended",
                name="bindingstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_binding_community_id_unit_id"),
        ),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["follower.id"], name=op.f("fk_binding_follower_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_binding")),
        comment="Which follower may act for which home (绑定)",
    )
    op.create_index("ix_binding_follower", "binding", ["follower_id"], unique=False)
    op.create_index(
        "uq_binding_living",
        "binding",
        ["community_id", "unit_id", "follower_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('requested', 'active')"),
    )
    op.create_table(
        "binding_code",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=True),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "role",
            sa.Enum("owner", "tenant", "member", name="residentrole", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(unit_id IS NULL) <> (staff_id IS NULL)", name=op.f("ck_binding_code_one_purpose")
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_binding_code_community_id_unit_id"),
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_binding_code_staff_id")),
        sa.ForeignKeyConstraint(["used_by"], ["follower.id"], name=op.f("fk_binding_code_used_by")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_binding_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_binding_code_code_hash")),
        comment="One-time binding codes, hashed",
    )
    op.create_table(
        "occupancy",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("resident_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("owner", "tenant", "member", name="residentrole", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column(
            "to_on", sa.Date(), nullable=True, comment="first day no longer; null while it lasts"
        ),
        sa.CheckConstraint("to_on > from_on", name=op.f("ck_occupancy_dates_ascend")),
        sa.ForeignKeyConstraint(
            ["community_id", "resident_id"],
            ["resident.community_id", "resident.id"],
            name=op.f("fk_occupancy_community_id_resident_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_occupancy_community_id_unit_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_occupancy")),
        comment="Owners, tenants and household members of homes, with dates",
    )
    op.create_index("ix_occupancy_unit", "occupancy", ["community_id", "unit_id"], unique=False)
    op.create_table(
        "payment",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "merchant_id",
            sa.BigInteger(),
            nullable=True,
            comment="null when no provider was involved",
        ),
        sa.Column("out_trade_no", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.BigInteger(), nullable=False),
        sa.Column("payer_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "channel",
            sa.Enum("wechat_jsapi", "counter", name="paymentchannel", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "prepared",
                "unknown",
                "waiting",
                "confirmed",
                "closed",
                name="paymentstate",
                native_enum=False,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("amount", MoneyColumn(), nullable=False),
        sa.Column("call", JSONB(), nullable=True, comment="what the payer's phone needs"),
        sa.Column("transaction_id", sa.Text(), nullable=True),
        sa.Column("prepared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the provider was last asked",
        ),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'confirmed') = (confirmed_at IS NOT NULL)",
            name=op.f("ck_payment_confirmed_has_time"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_amount")),
        sa.ForeignKeyConstraint(
            ["community_id", "unit_id"],
            ["unit.community_id", "unit.id"],
            name=op.f("fk_payment_community_id_unit_id"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "out_trade_no"],
            ["provider_order.merchant_id", "provider_order.out_trade_no"],
            name=op.f("fk_payment_merchant_id_out_trade_no"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant_account.id"], name=op.f("fk_payment_merchant_id")
        ),
        sa.ForeignKeyConstraint(["payer_id"], ["follower.id"], name=op.f("fk_payment_payer_id")),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_payment")),
        sa.UniqueConstraint(
            "community_id", "out_trade_no", name=op.f("uq_payment_community_id_out_trade_no")
        ),
        comment="Payments (缴费), one per order number",
    )
    op.create_index(
        "ix_payment_open",
        "payment",
        ["prepared_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('prepared', 'unknown', 'waiting')"),
    )
    op.create_index("ix_payment_unit", "payment", ["community_id", "unit_id"], unique=False)
    op.create_table(
        "bill_line",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("tariff_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind", sa.Enum("charge", name="linekind", native_enum=False, length=32), nullable=False
        ),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False, comment="first day not charged"),
        sa.Column("amount", MoneyColumn(), nullable=False),
        sa.Column("basis", JSONB(), nullable=False),
        sa.CheckConstraint("period_to > period_from", name=op.f("ck_bill_line_dates_ascend")),
        sa.ForeignKeyConstraint(
            ["community_id", "bill_id"],
            ["bill.community_id", "bill.id"],
            name=op.f("fk_bill_line_community_id_bill_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "item_id"],
            ["charge_item.community_id", "charge_item.id"],
            name=op.f("fk_bill_line_community_id_item_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "subject_id"],
            ["subject.community_id", "subject.id"],
            name=op.f("fk_bill_line_community_id_subject_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "tariff_id"],
            ["tariff.community_id", "tariff.id"],
            name=op.f("fk_bill_line_community_id_tariff_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "id", name=op.f("pk_bill_line")),
        sa.UniqueConstraint(
            "community_id",
            "subject_id",
            "item_id",
            "period_from",
            "period_to",
            "kind",
            name="uq_bill_line_charge",
        ),
        comment="Lines of bills (账单明细), written once",
    )
    op.create_index("ix_bill_line_bill", "bill_line", ["community_id", "bill_id"], unique=False)
    op.create_table(
        "payment_target",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", MoneyColumn(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_target_amount")),
        sa.ForeignKeyConstraint(
            ["community_id", "bill_id"],
            ["bill.community_id", "bill.id"],
            name=op.f("fk_payment_target_community_id_bill_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "payment_id"],
            ["payment.community_id", "payment.id"],
            name=op.f("fk_payment_target_community_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "payment_id", "bill_id", name=op.f("pk_payment_target")
        ),
        comment="What the payer designated a payment for",
    )
    op.create_table(
        "receipt",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("year", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id", "payment_id"],
            ["payment.community_id", "payment.id"],
            name=op.f("fk_receipt_community_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint("community_id", "year", "no", name=op.f("pk_receipt")),
        sa.UniqueConstraint(
            "community_id", "payment_id", name=op.f("uq_receipt_community_id_payment_id")
        ),
        comment="Receipts (收据)",
    )
    op.create_table(
        "payment_allocation",
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("bill_line_id", sa.BigInteger(), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", MoneyColumn(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_allocation_amount")),
        sa.ForeignKeyConstraint(
            ["community_id", "bill_line_id"],
            ["bill_line.community_id", "bill_line.id"],
            name=op.f("fk_payment_allocation_community_id_bill_line_id"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "payment_id"],
            ["payment.community_id", "payment.id"],
            name=op.f("fk_payment_allocation_community_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint(
            "community_id", "payment_id", "bill_line_id", name=op.f("pk_payment_allocation")
        ),
        comment="Payments applied to bill lines (核销)",
    )
    op.create_index(
        "ix_payment_allocation_bill",
        "payment_allocation",
        ["community_id", "bill_id"],
        unique=False,
    )
    op.create_index(
        "ix_payment_allocation_line",
        "payment_allocation",
        ["community_id", "bill_line_id"],
        unique=False,
    )
    op.create_foreign_key(
        "fk_subject_community_id_unit_id",
        "subject",
        "unit",
        ["community_id", "unit_id"],
        ["community_id", "id"],
        deferrable=True,
        initially="DEFERRED",
    )
    for statement in GUARDS:
        op.execute(statement)
