"""Check digits of many numbers at once: Luhn, ISO 7064 mod 97-10 of IBANs, GS1 mod 10; and addresses of networks."""

import ipaddress
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

#: A column without at least this share of values of the form is not checked.
WORTH_CHECKING = 0.6
#: First digits of the networks that issue payment cards, with the lengths that they issue.
_ISSUERS = (("4", (13, 16, 19)), ("2", (15, 16)), ("3", (14, 15, 16, 19)), ("1800", (15,)),
            ("5", (12, 13, 14, 15, 16, 19)), ("6", (12, 13, 14, 15, 16, 17, 18, 19)))  # fmt: skip
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24,
    "XK": 20,
}  # fmt: skip


def _digits(texts: Sequence[str], width: int) -> NDArray[np.int64]:
    """Return digits as a matrix, right-aligned, zeros before."""
    packed = "".join(text.rjust(width, "0")[-width:] for text in texts).encode("ascii")
    return np.frombuffer(packed, dtype=np.uint8).astype(np.int64).reshape(len(texts), width) - ord("0")


def luhn(numbers: Sequence[str]) -> NDArray[np.bool_]:
    """Tell for each text of ASCII digits (32 at most) whether its last digit is the Luhn check of the others."""
    matrix = _digits(numbers, 32)
    doubled = matrix[:, 0::2] * 2
    total = (doubled - 9 * (doubled > 9)).sum(axis=1) + matrix[:, 1::2].sum(axis=1)
    found: NDArray[np.bool_] = total % 10 == 0
    return found


def gs1(numbers: Sequence[str]) -> NDArray[np.bool_]:
    """Tell for each text of ASCII digits whether its last digit is the GS1 check of the others (EAN, UPC, ISBN-13)."""
    matrix = _digits(numbers, 18)
    found: NDArray[np.bool_] = (matrix[:, 0::2] * 3).sum(axis=1) % 10 == (-matrix[:, 1::2].sum(axis=1)) % 10
    return found


def is_iban(text: str) -> bool:
    """Tell whether a text is an IBAN: length of its country, remainder 1 modulo 97."""
    packed = text.replace(" ", "")
    if _IBAN_LENGTHS.get(packed[:2]) != len(packed):
        return False
    return int("".join(str(int(one, 36)) for one in packed[4:] + packed[:4])) % 97 == 1


def is_issued(number: str) -> bool:
    """Tell whether a number of digits begins, and is as long, as payment cards are."""
    return any(number.startswith(first) and len(number) in lengths for first, lengths in _ISSUERS)


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def checksum_shares(values: Sequence[str], forms: Mapping[str, float]) -> dict[str, float]:
    """Return the shares of values that pass a check: card, gtin, iban_valid, ipv6_valid, ipv4_spread."""
    found: dict[str, float] = {}
    if forms.get("long_digits", 0) >= WORTH_CHECKING:
        bare = [_bare(value) for value in values]
        cards = [one for one in bare if one.isascii() and one.isdigit() and is_issued(one)]
        if cards:
            found["card"] = float(luhn(cards).sum()) / len(values)
    if forms.get("long_digits", 0) >= WORTH_CHECKING or forms.get("digits", 0) >= WORTH_CHECKING:
        articles = [
            one for one in map(_bare, values) if one.isascii() and one.isdigit() and len(one) in (8, 12, 13, 14)
        ]
        if articles:
            found["gtin"] = float(gs1(articles).sum()) / len(values)
    if forms.get("iban", 0) >= WORTH_CHECKING:
        found["iban_valid"] = sum(map(is_iban, values)) / len(values)
    if forms.get("ipv6", 0) + forms.get("ipv4", 0) >= WORTH_CHECKING and forms.get("ipv6", 0):
        found["ipv6_valid"] = sum(map(_is_ipv6, values)) / len(values)
    if forms.get("ipv4", 0) >= WORTH_CHECKING / 2:
        parts = [[int(part) for part in value.split(".")] for value in values if value.count(".") == 3 and
                 value.replace(".", "").isdigit()]  # fmt: skip
        # Versions have small parts; addresses do not.
        found["ipv4_spread"] = sum(max(one) > 60 for one in parts) / len(parts) if parts else 0.0
    return found


def _bare(value: str) -> str:
    return value.replace(" ", "").replace("-", "")
