"""What staff scan or type of a customer: a card's URL, its code, a number."""

from __future__ import annotations

import re

CARD_URL = re.compile(r"/c/([0-9A-Za-z]{1,16})")
CARD_CODE = re.compile(r"[0-9A-Z]{13}")
MEMBER_NO = re.compile(r"(\d{4})[-‐ー−]?(\d{4})")
