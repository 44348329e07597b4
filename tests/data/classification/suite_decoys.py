"""Columns of the labelled suite that mean nothing that the classifier names, many of them alike to what it does."""
# mypy: ignore-errors
# ruff: noqa: PLW0108, UP031

import hashlib
import string


def decoy(w, rows: int, kind: str | None = None) -> tuple:
    """Return (name, values, None, None) of a random kind, or of one."""
    kinds = {
        "batch_no": lambda: f"{r.randrange(100, 999)}-{r.randrange(100, 999)}-{r.randrange(1000, 9999)}",
        "shipment_ref": lambda: f"{r.randrange(10**15, 10**16)}",
        "tracking_number": lambda: f"1Z{''.join(r.choices(string.ascii_uppercase + string.digits, k=16))}",
        "app_version": lambda: f"{r.randint(1, 9)}.{r.randint(0, 20)}.{r.randint(0, 9)}.{r.randint(0, 40)}",
        "release": lambda: f"v{r.randint(1, 4)}.{r.randint(0, 30)}.{r.randint(0, 9)}",
        "row_checksum": lambda: hashlib.md5(str(r.random()).encode()).hexdigest(),
        "git_commit": lambda: hashlib.sha1(str(r.random()).encode()).hexdigest(),
        "warehouse_code": lambda: f"{r.randrange(10000, 99999)}",
        "bin_location": lambda: f"{r.choice('ABCDE')}{r.randint(1, 20)}-{r.randint(1, 9)}",
        "color": lambda: r.choice(["red", "navy blue", "green", "black", "off-white", "grey"]),
        "size": lambda: r.choice(["XS", "S", "M", "L", "XL", "XXL"]),
        "weight_kg": lambda: round(r.uniform(0.05, 30), 3),
        "stock_level": lambda: r.randrange(0, 900),
        "page_count": lambda: r.randrange(40, 900),
        "temperature": lambda: round(r.gauss(21, 4), 1),
        "company_name": lambda: w.fake.company(),
        "job_title": lambda: w.plain.job(),
        "file_path": lambda: w.plain.file_path(depth=3),
        "host": lambda: f"web-{r.randint(1, 40):02d}.eu-{r.randint(1, 3)}.internal",
        "duration_ms": lambda: r.randrange(3, 90000),
        "account_ref": lambda: f"DE{r.randrange(10, 99)}{r.randrange(10**17, 10**18)}",
        "start_of_shift": lambda: f"{r.randrange(0, 24):02d}:{r.randrange(0, 60):02d}",
        "payload": lambda: '{"a": %d, "b": "%s"}' % (r.randrange(99), r.choice(string.ascii_lowercase)),
        "serial_no": lambda: f"SN{r.randrange(10**9, 10**10)}",
        "result_count": lambda: int(r.paretovariate(0.6)) % 5000,
        "email_hash": lambda: hashlib.sha256(str(r.random()).encode()).hexdigest(),
        "store_id": lambda: f"ST{r.randrange(100, 999)}",
        "campaign": lambda: r.choice(["spring_sale", "brand_awareness", "retarget_q3", "newsletter_12"]),
        "experiment_bucket": lambda: r.choice(["control", "variant_a", "variant_b"]),
        "plan_tier": lambda: r.choice(["basic", "plus", "gold"]),
        "year": lambda: r.randrange(1995, 2026),
        "fax_batch_code": lambda: f"0{r.randrange(10, 99)}/{r.randrange(100, 999)}",
        "domain": lambda: w.plain.domain_name(),
        "twitter_handle": lambda: "@" + w.plain.user_name(),
        "mac_like_serial": lambda: "-".join(f"{r.getrandbits(8):02X}" for _ in range(4)),
        "license_plate": lambda: w.plain.license_plate(),
    }  # fmt: skip
    r = w.r
    name = kind or r.choice(sorted(set(kinds) - {"result_count", "store_id"} - w.used))
    shown = name
    while shown in w.used:
        shown += "_2"
    w.used.add(shown)
    make = kinds[name]
    return shown, [make() for _ in range(rows)], None, None
