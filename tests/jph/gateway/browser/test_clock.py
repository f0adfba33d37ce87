"""A tablet whose own clock is wrong: the page follows the gateway's from its first second on."""

import time

from playwright.async_api import Browser

from jph.gateway.node import Gateway

TWO_HOURS_BEHIND = """
const Real = Date, by = -7200e3;
window.Date = class extends Real {
  constructor(...a) { a.length ? super(...a) : super(Real.now() + by); }
  static now() { return Real.now() + by; }
};
"""
_NOW = "import('/static/clock.js').then((clock) => [clock.now(), Date.now()])"
_LAST_HOUR = """
Promise.all([import('/static/clock.js'), import('/static/graphs/state.js')])
  .then(([clock, state]) => state.resolve({ last: '1h', from: 0, to: 0 }, clock.now()))
"""


async def test_a_wrong_clock_is_corrected_at_once(gateway: Gateway, browser: Browser) -> None:
    page = await browser.new_page()
    await page.add_init_script(TWO_HOURS_BEHIND)
    await page.goto(f"{gateway.url}/heaters")
    shown, own = await page.evaluate(_NOW)
    assert abs(shown / 1000 - time.time()) < 60
    assert time.time() - own / 1000 > 7000
    hour = await page.evaluate(_LAST_HOUR)
    assert abs(hour["to"] / 1000 - time.time()) < 60
    await page.close()
