"""Logging in, one's own account, and the accounts of others, as a person does it."""

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from jph.gateway.accounts import passwords, users
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from tests.jph.gateway import people
from tests.jph.gateway.browser.conftest import Show, Sound

HASH = passwords.hash_of(people.PASSWORD)
WIDTHS = [320, 390, 1280]


@pytest_asyncio.fixture(loop_scope="session")
async def ann(gateway: Gateway) -> users.Account:
    """Return an operator with a password."""
    return await people.add(gateway, "ann", Role.OPERATOR, HASH)


async def log_in(page: Page, password: str = people.PASSWORD) -> None:
    await page.get_by_label("Name").fill("ann")
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("width", WIDTHS)
async def test_in_and_out(show: Show, sound: Sound, ann: users.Account, width: int) -> None:
    page = await show("/login?next=/network", width=width, live=False)
    await sound(page)
    await log_in(page)
    await page.wait_for_url("**/network")  # and until its scripts have run
    await expect(page.get_by_role("heading", level=1)).to_have_text("Network")
    await page.get_by_role("button", name="Display and account").click()
    await expect(page.locator("#sheet")).to_contain_text("ann")
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_label("Password")).to_be_visible()


async def test_my_password_sessions_and_tokens(
    show: Show, sound: Sound, gateway: Gateway, ann: users.Account
) -> None:
    await people.session_of(gateway, Role.OPERATOR, "ann")
    page = await show("/login?next=/account", width=390, live=False)
    await log_in(page)
    sessions = page.locator("#sessions tr")
    await expect(sessions).to_have_count(2)
    await sessions.get_by_role("button", name="End").click()
    await expect(sessions).to_have_count(1)
    await page.get_by_label("What it is for").fill("<b>grafana")
    await page.get_by_role("button", name="Make a token").click()
    await expect(page.locator("#secret code")).to_contain_text("jph_")
    await expect(page.locator("#tokens th")).to_have_text("<b>grafana")
    await sound(page)

    await page.get_by_label("Password until now").fill(people.PASSWORD)
    await page.get_by_label("New password").fill("battery staple")
    await page.get_by_label("Once more").fill("battery maple")
    await page.get_by_role("button", name="Change it").click()
    await expect(page.locator("#toasts")).to_contain_text("not the same")
    await page.get_by_label("Once more").fill("battery staple")
    await page.get_by_role("button", name="Change it").click()
    await expect(page.locator("#toasts")).to_contain_text("The password is changed.")
    await expect(page.locator("#tokens tr")).to_have_count(0)


async def test_an_admin_keeps_the_accounts(show: Show, sound: Sound, gateway: Gateway) -> None:
    page = await show("/users", width=1280, live=False, role=Role.ADMIN)
    form = page.locator("#new")
    await form.get_by_label("Name").fill("bob")
    await form.get_by_label("Password").fill(people.PASSWORD)
    await form.get_by_label("Role").select_option("operator")
    await form.get_by_role("button", name="Add").click()
    line = page.locator("#users tr", has_text="bob")
    await expect(line.get_by_role("combobox")).to_have_value("operator")
    await line.get_by_role("combobox").select_option("viewer")
    await expect(page.locator("#toasts")).to_contain_text("bob is viewer now.")
    await sound(page)
    await line.get_by_role("button", name="Remove").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(line).to_have_count(0)
    await page.reload()
    await expect(page.locator("#audit tr").first).to_contain_text("removal of bob")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["/login", "/account", "/users"])
async def test_nothing_scrolls_sideways(
    show: Show, gateway: Gateway, width: int, path: str
) -> None:
    role = Role.NOBODY if path == "/login" else Role.ADMIN
    page = await show(path, width=width, live=False, role=role, language="fr")
    await expect(page.locator("form").first).to_be_visible()
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{wide} px too wide"
