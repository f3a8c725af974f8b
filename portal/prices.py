"""Amounts of money as people read them."""

from decimal import Decimal

from db.costs import Costs

__all__ = ["cost_sentence", "money"]


def money(amount: Decimal, currency: str) -> str:
    """e.g. `12.50 USD`, with as many decimals as it has, and at least two."""
    whole, _, decimals = f"{amount:.6f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2} {currency}"


def cost_sentence(costs: Costs, most: Decimal | None) -> str | None:
    """What a session cost, of the `most` that it may, for its page; None where no provider was wanted."""
    if not costs.lines:
        return None
    limit = "" if most is None else f" of {money(most, costs.currency)}"
    sentence = f"{money(costs.price, costs.currency)}{limit} paid."
    if costs.refused:
        sentence += f" {costs.refused:,} searches were not made because the budget was spent."
    return sentence
