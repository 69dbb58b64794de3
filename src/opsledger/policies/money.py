"""Money: integer minor units of a currency, one named rounding, and shares that add up to the whole.

Amounts are integers in the currency's minor unit (cents, yen, fils). How many decimal places that unit stands for is kept in a
table of ISO 4217 codes that is part of the program, so that replay never asks a library or a locale. What is computed exactly is
rounded once, at the end of each line, half up (away from zero, as invoices are); lines are rounded first and added then.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

from opsledger.errors import BadInput

__all__ = ["EXPONENTS", "allocate", "exponent", "half_up", "minor", "rounded", "shown"]

_CODES: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP "
        "COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR "
        "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK "
        "NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT "
        "TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ZWL"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: Final[dict[str, int]] = {code: places for places, codes in _CODES.items() for code in codes.split()}
"""Decimal places of the minor unit by ISO 4217 code; also of codes that were withdrawn since 2020, in which old amounts stand."""

_EXACT: Final = Context(prec=60)


def exponent(currency: str) -> int:
    """Return how many decimal places the minor unit of a currency stands for: 2 for USD, 0 for JPY. Raises BadInput for no currency."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise BadInput("money.currency", f"'{currency}' is no currency of ISO 4217; write its code in capitals, like USD.") from None


def half_up(exact: Fraction) -> int:
    """Return the nearest integer; of two equally near, the one farther from zero: 2.5 is 3 and -2.5 is -3."""
    whole, rest = divmod(abs(exact.numerator), exact.denominator)
    size = whole + (2 * rest >= exact.denominator)
    return size if exact.numerator >= 0 else -size


def rounded(exact: Fraction, places: int) -> Decimal:
    """Return a number with so many decimal places, rounded half up: 13/28 with nine is 0.464285714."""
    whole, rest = divmod(abs(exact.numerator) * 10**places, exact.denominator)
    size = whole + (2 * rest >= exact.denominator)
    return Decimal(size if exact.numerator >= 0 else -size).scaleb(-places, _EXACT)


def minor(amount: Decimal | str, currency: str) -> int:
    """Return an amount in minor units, rounded half up: 10.005 USD is 1001 cents. Raises BadInput where it is no number."""
    try:
        exact = Fraction(Decimal(amount))
    except (InvalidOperation, ValueError, OverflowError):
        raise BadInput("money.amount", f"'{amount}' is no amount; write it with digits and a point, like 10.50.") from None
    return half_up(exact * 10 ** exponent(currency))


def shown(amount_minor: int, currency: str) -> str:
    """Return an amount as people write it, without its currency: 1001 cents are 10.01, 1001 yen are 1001."""
    places = exponent(currency)
    return f"{Decimal(amount_minor).scaleb(-places, _EXACT):.{places}f}"


def allocate(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Return `total_minor` in parts as the weights are, adding up to it exactly, by largest remainder.

    Each part is the whole below its exact share; what is left over goes, one unit each, to those that lost most, of equals to the
    first. A negative total is shared like its opposite. Raises BadInput where no weight is above 0, or one is below.
    """
    if not weights or min(weights) < 0 or sum(weights) == 0:
        raise BadInput("money.weights", f"{total_minor} cannot be shared by the weights {list(weights)}; none below 0, one or more above.")
    if total_minor < 0:
        return [-part for part in allocate(-total_minor, weights)]
    whole = sum(weights)
    parts = [total_minor * weight // whole for weight in weights]
    neediest = sorted(range(len(weights)), key=lambda place: (-(total_minor * weights[place] % whole), place))
    for place in neediest[: total_minor - sum(parts)]:
        parts[place] += 1
    return parts
