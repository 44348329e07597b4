"""Writes the lists of countries, currencies, languages and towns that the classifier reads, out of Unicode's CLDR.

Run by hand with `babel` at hand: `python make_lists.py > lists.json`; the result is kept in inventory/classify/data.
"""
# mypy: ignore-errors

import json
import sys
import zoneinfo

from babel import Locale
from babel.core import get_global
from babel.numbers import get_territory_currencies

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "ru", "zh_Hans", "zh_Hant", "ja")


def main() -> None:
    """Print the lists as JSON, folded to lower case."""
    locales = [Locale.parse(name) for name in LANGUAGES]
    two = sorted(
        code
        for code in locales[0].territories
        if len(code) == 2
        and code.isalpha()
        and code not in ("EU", "EZ", "UN", "QO", "ZZ", "XA", "XB", "XK", "AC", "CP", "CQ", "DG", "EA", "IC", "TA")
    )
    three = sorted(k for k, v in get_global("territory_aliases").items() if len(k) == 3 and k.isalpha() and v[0] in two)
    names = {locale.territories[code].lower() for locale in locales for code in two if code in locale.territories}
    names |= {
        "usa",
        "uk",
        "great britain",
        "england",
        "scotland",
        "russia",
        "south korea",
        "czech republic",
        "eire",
        "rsa",
        "channel islands",
        "holland",
        "turkey",
        "united states of america",
    }
    currencies = sorted({one for code in two for one in get_territory_currencies(code)})
    money = {locale.currencies[code].lower() for locale in locales for code in currencies if code in locale.currencies}
    tongues = {code for code in locales[0].languages if len(code) == 2}
    spoken = {locale.languages[code].lower() for locale in locales for code in tongues if code in locale.languages}
    cities = {
        zone.rsplit("/", 1)[-1].replace("_", " ").lower()
        for zone in zoneinfo.available_timezones()
        if "/" in zone and not zone.startswith(("Etc", "SystemV", "US/", "Canada/", "Brazil/", "Mexico/"))
    }
    cities |= {found["city"].lower() for locale in locales for found in locale.time_zones.values() if "city" in found}
    cities -= names
    lists = {
        "source": "Unicode CLDR (Unicode License v3) by babel, and the names of IANA time zones",
        "country_2": two,
        "country_3": three,
        "country_name": sorted(names),
        "currency": currencies,
        "currency_name": sorted(money),
        "language": sorted(tongues),
        "language_name": sorted(spoken),
        "city": sorted(cities),
    }
    json.dump(lists, sys.stdout, ensure_ascii=False, indent=0)


if __name__ == "__main__":
    main()
