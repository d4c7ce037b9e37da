"""What is odd in the books before somebody complains: detectors, and the nightly round of them."""
