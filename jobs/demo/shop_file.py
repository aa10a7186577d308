"""The demo shop's merchant file, as a merchant's own would be written."""

from __future__ import annotations

from pathlib import Path

from jobs.demo.certificates import AppleFiles

PASS_TYPE_ID = "pass.example.aozora"  # noqa: S105 -- a name, no secret
TEAM_ID = "ABCDE12345"
ISSUER_ID = "3388000000000000000"
PLACE = (35.6812, 139.7671)
# For the till of a device: whoever types one is on shift.
OWNER_PIN = "4071"
CLERK_PIN = "5093"

_FILE = """\
[merchant]
key = "{key}"
name = "あおぞら珈琲"
timezone = "Asia/Tokyo"
day_starts_at = 5
contact = "info@aozora.example"
languages = ["ja", "en"]

[line]
channel_id = "{channel[0]}"
channel_secret = "{channel[1]}"
bot_user_id = "{channel[2]}"
basic_id = "{channel[3]}"

[apple]
pass_type_id = "{pass_type_id}"
team_id = "{team_id}"
certificate_file = "{apple.certificate_pem}"
key_file = "{apple.key_pem}"
wwdr_file = "{apple.wwdr_pem}"

[google]
issuer_id = "{issuer_id}"
service_account_file = "service-account.json"

[[program]]
key = "coffee"
name = "コーヒーカード"
goal = {goal}
limit = "{limit}"
expires = "12m after last"
remind_days = [14, 3]
background = "#5A3A22"
foreground = "#FFFFFF"
icon = "coffee"
guide = "お会計のときに、レジのコードを読み取ってください。"
thanks = "ご来店ありがとうございます!"
{rewards}
[[shop]]
key = "main"
name = "本店"
latitude = {place[0]}
longitude = {place[1]}

[[staff]]
email = "{staff[0]}"
name = "青山"
role = "owner"
password = "{staff[1]}"
pin = "{owner_pin}"

[[staff]]
name = "佐藤"
role = "clerk"
pin = "{clerk_pin}"

[[api_key]]
name = "pos"
"""
_REWARD = """
[[program.reward]]
at = {at}
name = "{name}"
valid = "3m"
"""


def write_shop_file(
    folder: Path,
    apple: AppleFiles,
    service_account: str,
    *,
    key: str,
    channel: tuple[str, str, str, str],
    staff: tuple[str, str],
    goal: int,
    limit: str,
) -> Path:
    """Write the file, and the Google account beside it; the file's path."""
    account = folder / "service-account.json"
    account.write_text(service_account)
    account.chmod(0o600)
    rewards = [(goal, "コーヒー1杯")]
    if goal > 5:  # noqa: PLR2004 -- a reward half-way only makes sense on a long card
        rewards.insert(0, (5, "クッキー1枚"))
    file = folder / "shop.toml"
    file.write_text(
        _FILE.format(
            key=key,
            channel=channel,
            apple=apple,
            pass_type_id=PASS_TYPE_ID,
            team_id=TEAM_ID,
            issuer_id=ISSUER_ID,
            goal=goal,
            limit=limit,
            rewards="".join(_REWARD.format(at=at, name=name) for at, name in rewards),
            staff=staff,
            place=PLACE,
            owner_pin=OWNER_PIN,
            clerk_pin=CLERK_PIN,
        )
    )
    file.chmod(0o600)
    return file
