"""Values of people and of what is like them, in the language of one table, for the suite apart; by `mimesis`."""
# mypy: ignore-errors
# ruff: noqa: D102

import random
from datetime import date, timedelta

from mimesis import Generic
from mimesis.enums import Gender
from mimesis.locales import Locale

#: Locales for tuning, and held apart: no language is in both.
LOCALES = {
    "tuning": ["cs", "sv", "hu", "no", "hr", "es", "de-ch", "et", "kk"],
    "apart": ["en-au", "de", "zh", "fr", "it", "pt-br", "nl", "tr", "ru", "ja", "pl", "da", "uk", "fi", "sk", "ko",
              "el", "de-at", "en-ca", "zh"],
}  # fmt: skip
#: Languages that write the family name first and put nothing between.
FAMILY_FIRST = ("zh", "ja", "ko", "hu")
#: IBANs: country, digits of the account.
ACCOUNTS = {"de": ("DE", 18), "de-at": ("AT", 16), "fr": ("FR", 23), "pl": ("PL", 24), "da": ("DK", 14),
            "fi": ("FI", 14), "sk": ("SK", 20), "cs": ("CZ", 20), "es": ("ES", 20), "sv": ("SE", 20),
            "no": ("NO", 11), "hu": ("HU", 24), "hr": ("HR", 17), "de-ch": ("CH", 17), "et": ("EE", 16),
            "tr": ("TR", 22)}  # fmt: skip
#: How telephone numbers of a land are written, a digit for each #.
DIALLED = {
    "en-au": ["04## ### ###", "(0#) #### ####", "+614########"],
    "en-ca": ["(4##) 5##-####", "+1-6##-3##-####", "9##.7##.####"],
    "de": ["0#### ######", "+49 1## #######", "030/#######", "0#####-#####"],
    "de-at": ["0664 #######", "+43 664 #######"],
    "zh": ["13#########", "+86 15# #### ####", "021-########", "18#-####-####"],
    "fr": ["06 ## ## ## ##", "+33 6 ## ## ## ##"],
    "it": ["33# #######", "+39 34# ### ####", "02 ########"],
    "pt-br": ["(1#) 9####-####", "+55 11 9########"],
    "nl": ["06-########", "+31 6 ########", "020-#######"],
    "tr": ["0 53# ### ## ##", "+90 54# ### ## ##", "053########"],
    "ru": ["+7 (9##) ###-##-##", "8 9## ###-##-##", "89#########"],
    "ja": ["090-####-####", "03-####-####", "+81 90 #### ####"],
    "pl": ["5## ### ###", "+48 6## ### ###"],
    "da": ["2# ## ## ##", "+45 ########"],
    "uk": ["+380 (6#) ###-##-##", "09########"],
    "fi": ["04# ### ####", "+358 40 #######"],
    "sk": ["09## ### ###", "+421 9## ### ###"],
    "ko": ["010-####-####", "02-###-####"],
    "el": ["69# ### ####", "+30 69########"],
    "cs": ["6## ### ###", "+420 7########"],
    "sv": ["07#-### ## ##", "+46 7########"],
    "hu": ["06 30 ### ####", "+36 20 ### ####"],
    "no": ["9## ## ###", "+47 4## ## ###"],
    "hr": ["091 ### ####", "+385 98 ######"],
    "es": ["6## ### ###", "+34 9## ## ## ##"],
    "de-ch": ["079 ### ## ##", "+41 44 ### ## ##"],
    "et": ["5### ####", "+372 5### ####"],
    "kk": ["+7 70# ### ## ##", "8 (70#) ###-##-##"],
}
#: Ways of writing numbers that are as like batch numbers as telephone numbers.
BARE = ("13#########", "18#-####-####", "5## ### ###", "2# ## ## ##", "6## ### ###", "5### ####", "9## ## ###",
        "09########", "89#########", "69# ### ####", "33# #######")  # fmt: skip


class Place:
    """One table's language and chance."""

    def __init__(self, locale: str, seed: str) -> None:
        self.locale = locale
        self.r = random.Random(seed)
        self.g = Generic(Locale(locale), seed=self.r.randrange(1 << 30))
        self.en = Generic(Locale("en"), seed=self.r.randrange(1 << 30))

    def first(self) -> str:
        found = self.g.person.first_name(gender=self.r.choice([Gender.MALE, Gender.FEMALE]))
        return found.split(" (")[0]

    def last(self) -> str:
        return self.g.person.last_name(gender=self.r.choice([Gender.MALE, Gender.FEMALE])).split(" (")[0]

    def people(self, rows: int) -> list[str]:
        """Return full names, written as one place writes them."""
        style = self.r.choice(["plain", "plain", "plain", "comma", "capitals", "middle", "title", "lower"])
        return [self.person(style) for _ in range(rows)]

    def person(self, style: str) -> str:
        one, two = self.first(), self.last()
        if self.locale in FAMILY_FIRST:
            return f"{two}{' ' if self.locale in ('hu', 'ja') else ''}{one}"
        if style == "comma":
            return f"{two}, {one}"
        if style == "middle" and self.r.random() < 0.5:
            return f"{one} {self.first()[0]}. {two}"
        if style == "title" and self.r.random() < 0.4:
            return f"Dr. {one} {two}"
        found = f"{one} {two}"
        return found.upper() if style == "capitals" else found.lower() if style == "lower" else found

    def phones(self, rows: int) -> tuple[list[str], str | None]:
        """Return telephone numbers, and why their values alone do not tell, where they do not."""
        form = self.r.choice(DIALLED[self.locale])
        values = ["".join(str(self.r.randrange(10)) if one == "#" else one for one in form) for _ in range(rows)]
        bare = form in BARE and form not in ("13#########",)
        return values, "groups of digits, as batch and serial numbers have" if bare else None

    def address(self, style: str) -> str:
        street = self.g.address.address()
        if style == "street":
            return street
        code, city = self.g.address.postal_code(), self.g.address.city()
        if self.locale in ("zh", "ja", "ko"):
            return f"{city}{street}"
        return f"{street}{', ' if style == 'line' else chr(10)}{code} {city}"

    def addresses(self, rows: int) -> list[str]:
        style = self.r.choice(["street", "street", "line", "lines"])
        return [self.address(style) for _ in range(rows)]

    def emails(self, rows: int) -> list[str | None]:
        share = self.r.choice([0, 0, 0.1, 0.6])
        return [None if self.r.random() < share else self.en.person.email() for _ in range(rows)]

    def iban(self) -> str:
        land, count = ACCOUNTS.get(self.locale, ("DE", 18))
        digits = "".join(str(self.r.randrange(10)) for _ in range(count))
        number = "".join(str(int(one, 36)) for one in f"{digits}{land}00")
        return f"{land}{98 - int(number) % 97:02d}{digits}"

    def ibans(self, rows: int) -> list[str]:
        made = [self.iban() for _ in range(rows)]
        spaced = self.r.random() < 0.5
        return [" ".join(one[n : n + 4] for n in range(0, len(one), 4)) if spaced else one for one in made]

    def cards(self, rows: int) -> list[str]:
        return [self.g.payment.credit_card_number() for _ in range(rows)]

    def born(self, rows: int) -> list:
        style = self.r.choice(["date", "date", "iso", "dotted", "slashed"])
        days = [date(1938, 1, 1) + timedelta(days=self.r.randrange(365 * 68)) for _ in range(rows)]
        forms = {"iso": "%Y-%m-%d", "dotted": "%d.%m.%Y", "slashed": "%d/%m/%Y"}
        return days if style == "date" else [one.strftime(forms[style]) for one in days]

    def genders(self, rows: int) -> list[str]:
        pairs = {"de": ["weiblich", "männlich"], "zh": ["男", "女"], "fr": ["F", "H"], "ru": ["муж", "жен"],
                 "ja": ["女性", "男性"], "es": ["Mujer", "Hombre"], "it": ["Maschio", "Femmina"]}  # fmt: skip
        words = self.r.choice([["F", "M"], ["female", "male"], ["Female", "Male", "Other"]])
        words = pairs.get(self.locale, words) if self.r.random() < 0.6 else words
        return [self.r.choice(words) for _ in range(rows)]

    def networks(self, rows: int) -> list[str]:
        six = self.r.random() < 0.3
        return [self.g.internet.ip_v6() if six and self.r.random() < 0.5 else self.g.internet.ip_v4()
                for _ in range(rows)]  # fmt: skip

    def hardware(self, rows: int) -> list[str]:
        dashed = self.r.random() < 0.4
        made = [self.g.internet.mac_address() for _ in range(rows)]
        return [one.replace(":", "-").upper() if dashed else one for one in made]
