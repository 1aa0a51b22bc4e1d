"""The login in use: renewed in time, stored before use, never lost by doubt."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from bridge.backoffice.login.login import Login
from bridge.backoffice.login.session import CLIENT_CODES, PERSON_CODES
from bridge.backoffice.login.token_file import Storage
from bridge.errors import BackOfficeUnavailable, LoginRequired
from simulators.loop import VirtualLoop
from tests.support.office import BEGIN, TOKEN_PATH, World, play

HOUR = 3600.0


async def logged_in(world: World) -> Login:
    login = world.login()
    await world.log_in(login)
    world.wire.sent.clear()
    return login


def stored_refresh_token(world: World) -> str:
    stored = world.store().read()
    assert stored is not None
    return stored.refresh_token


def test_a_fresh_token_is_handed_out_without_asking_anybody(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        token = await login.access_token()
        await asyncio.sleep(0.7 * HOUR)
        assert await login.access_token() == token
        assert world.wire.sent == []
        assert world.provider.authenticate(token) == "paybridge"

    play(main)


def test_a_token_is_renewed_before_it_ends(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        old = await login.access_token()
        await asyncio.sleep(0.8 * HOUR)
        new = await login.access_token()
        assert new != old
        assert world.provider.authenticate(old) == "paybridge"
        await asyncio.sleep(0.7 * HOUR)
        assert await login.access_token() == new

    play(main)


def test_many_callers_at_once_renew_once(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.provider.options.reuse_leeway_seconds = 0
        login = await logged_in(world)
        await asyncio.sleep(2 * HOUR)
        world.wire.delay_seconds = 1.0
        tokens = await asyncio.gather(*(login.access_token() for _ in range(20)))
        assert len(set(tokens)) == 1
        assert len(world.wire.times(TOKEN_PATH)) == 1
        assert world.provider.authenticate(tokens[0]) == "paybridge"

    play(main)


def test_two_processes_renew_once(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.provider.options.reuse_leeway_seconds = 0
        service = await logged_in(world)
        others = [world.login() for _ in range(4)]
        for process in others:
            await process.access_token()
        await asyncio.sleep(2 * HOUR)
        world.wire.delay_seconds = 1.0
        tokens = await asyncio.gather(*(p.access_token() for p in (service, *others)))
        assert len(set(tokens)) == 1
        assert len(world.wire.times(TOKEN_PATH)) == 1

    play(main)


def test_a_lock_that_stays_taken_is_an_outage_not_a_wait_for_ever(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        await asyncio.sleep(2 * HOUR)
        with world.store().lock(), pytest.raises(BackOfficeUnavailable):
            await login.access_token()
        await asyncio.sleep(10)
        await login.access_token()

    play(main)


def test_the_rotated_token_is_on_disk_before_the_first_use(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        before = stored_refresh_token(world)
        await asyncio.sleep(2 * HOUR)
        token = await login.access_token()
        stored = world.store().read()
        assert stored is not None
        assert stored.access_token == token
        assert stored.refresh_token != before

    play(main)


def test_a_token_that_cannot_be_stored_is_not_used_and_not_lost(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.provider.options.reuse_leeway_seconds = 0
        login = await logged_in(world)
        await asyncio.sleep(2 * HOUR)
        obstacle = tmp_path / "login" / f"login.{os.getpid()}.new"
        obstacle.mkdir()
        for _ in range(3):
            with pytest.raises(BackOfficeUnavailable):
                await login.access_token()
            await asyncio.sleep(10)
        obstacle.rmdir()
        token = await login.access_token()
        assert world.provider.authenticate(token) == "paybridge"
        assert len(world.wire.times(TOKEN_PATH)) == 1
        stored = world.store().read()
        assert stored is not None
        assert stored.access_token == token

    play(main)


def test_a_lost_answer_is_asked_for_again_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        await asyncio.sleep(2 * HOUR)
        world.provider.options.lose_answers["refresh_token"] = 1
        token = await login.access_token()
        first, second = world.wire.times(TOKEN_PATH)
        assert second - first < 10
        assert world.provider.authenticate(token) == "paybridge"

    play(main)


def test_a_second_lost_answer_is_not_taken_for_a_no(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        await asyncio.sleep(2 * HOUR)
        world.provider.options.lose_answers["refresh_token"] = 2
        with pytest.raises(BackOfficeUnavailable):
            await login.access_token()
        assert len(world.wire.times(TOKEN_PATH)) == 2
        assert login.status.logged_in
        await asyncio.sleep(6)
        await login.access_token()

    play(main)


def test_a_lost_answer_found_too_late_needs_a_person(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        await asyncio.sleep(2 * HOUR)
        world.provider.options.lose_answers["refresh_token"] = 2
        with pytest.raises(BackOfficeUnavailable):
            await login.access_token()
        await asyncio.sleep(60)
        with pytest.raises(LoginRequired):
            await login.access_token()

    play(main)


@pytest.mark.parametrize("trouble", ["away", "portal", "503"])
def test_not_reaching_the_provider_is_no_reason_to_ask_a_person(
    tmp_path: Path, trouble: str
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        await asyncio.sleep(2 * HOUR)
        world.office.away = trouble == "away"
        world.provider.options.captive_portal = trouble == "portal"
        world.provider.options.unavailable = 99 if trouble == "503" else 0
        for _ in range(5):
            with pytest.raises(BackOfficeUnavailable):
                await login.access_token()
            await asyncio.sleep(HOUR)
        assert login.status.logged_in
        assert login.status.reason
        world.office.away = world.provider.options.captive_portal = False
        world.provider.options.unavailable = 0
        await login.access_token()
        assert login.status.reason == ""

    play(main)


def test_a_failed_early_renewal_only_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        token = await login.access_token()
        await asyncio.sleep(0.8 * HOUR)
        world.office.away = True
        for _ in range(100):
            assert await login.access_token() == token
        assert len(world.wire.sent) == 1
        assert [r.levelno for r in caplog.records if "not renewed" in r.message] == [
            logging.WARNING
        ]
        world.office.away = False
        await asyncio.sleep(6)
        assert await login.access_token() != token

    play(main)


def test_a_provider_in_trouble_is_not_asked_by_every_caller(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        await asyncio.sleep(2 * HOUR)
        world.office.away = True
        for _ in range(50):
            with pytest.raises(BackOfficeUnavailable):
                await login.access_token()
        assert len(world.wire.sent) == 1

    play(main)


def test_invalid_grant_needs_a_person_and_is_remembered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        world.provider.revoke_everything()
        await asyncio.sleep(2 * HOUR)
        with pytest.raises(LoginRequired):
            await login.access_token()
        world.wire.sent.clear()
        again = world.login()
        for process in (login, again):
            with pytest.raises(LoginRequired):
                await process.access_token()
        assert world.wire.sent == []
        status = again.status
        assert not status.logged_in
        assert status.subject == "store-manager"
        assert status.needed_since is not None
        assert (status.needed_since - BEGIN).total_seconds() == pytest.approx(2 * HOUR, abs=40)
        assert "does not accept" in status.reason
        assert any(r.levelno == logging.ERROR for r in caplog.records)

    play(main)


def test_a_refusal_of_the_client_keeps_the_login_for_better_days(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        before = world.store().read()
        await asyncio.sleep(2 * HOUR)
        client = world.provider.clients.pop("paybridge")
        for _ in range(2):
            with pytest.raises(LoginRequired, match="client's id or secret"):
                await login.access_token()
        assert not login.status.logged_in
        assert "client's id or secret" in login.status.reason
        assert world.store().read() == before
        world.provider.clients["paybridge"] = client
        await asyncio.sleep(61)
        assert world.provider.authenticate(await login.access_token()) == "paybridge"
        assert login.status.logged_in

    play(main)


def test_the_service_picks_up_a_login_made_by_another_process(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        service = world.login()
        with pytest.raises(LoginRequired):
            await service.access_token()
        assert service.status.reason == "nobody has logged in yet"
        await world.log_in(world.login())
        token = await service.access_token()
        assert world.provider.authenticate(token) == "paybridge"
        assert service.status.logged_in
        assert service.status.needed_since is None
        await world.login().logout()
        with pytest.raises(LoginRequired):
            await service.access_token()

    play(main)


def test_run_keeps_the_login_alive_through_weeks_without_a_sale(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        keeper = asyncio.create_task(login.run())
        await asyncio.sleep(30 * 24 * HOUR)
        world.wire.sent.clear()
        token = await login.access_token()
        assert world.provider.authenticate(token) == "paybridge"
        assert world.wire.sent == []
        keeper.cancel()

    play(main)


def test_a_machine_off_for_longer_than_the_refresh_token_needs_a_person(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        await logged_in(world)
        await asyncio.sleep(20 * 24 * HOUR)
        with pytest.raises(LoginRequired):
            await world.login().access_token()

    play(main)


def test_a_restart_uses_the_stored_token(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        token = await (await logged_in(world)).access_token()
        await asyncio.sleep(0.5 * HOUR)
        restarted = world.login()
        assert await restarted.access_token() == token
        await asyncio.sleep(0.6 * HOUR)
        assert await restarted.access_token() != token

    play(main)


@pytest.mark.parametrize("error_seconds", [-30 * 24 * HOUR, 30 * 24 * HOUR])
def test_a_wrong_wall_clock_after_a_restart_costs_one_renewal_at_most(
    tmp_path: Path, error_seconds: float
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        await logged_in(world)
        world.clock_error_seconds = error_seconds
        restarted = world.login()
        token = await restarted.access_token()
        assert world.provider.authenticate(token) == "paybridge"
        await asyncio.sleep(1.1 * HOUR)
        token = await restarted.access_token()
        assert world.provider.authenticate(token) == "paybridge"

    play(main)


def test_a_wall_clock_that_jumps_while_running_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        token = await login.access_token()
        world.clock_error_seconds = 5 * HOUR
        assert await login.access_token() == token
        assert world.wire.sent == []

    play(main)


def test_a_rejected_token_is_renewed_once_and_not_offered_again(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        token = await login.access_token()
        await login.reject(token)
        fresh = await login.access_token()
        assert fresh != token
        await login.reject(token)  # a slow request's late verdict on the old one
        assert await login.access_token() == fresh
        assert len(world.wire.times(TOKEN_PATH)) == 1

    play(main)


def test_a_login_for_another_provider_is_not_used_here(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        await logged_in(world)
        other = world.login(issuer="http://127.0.0.1:99/")
        with pytest.raises(LoginRequired, match="another provider"):
            await other.access_token()
        assert world.wire.sent == []

    play(main)


def test_a_lost_key_needs_a_person_and_a_new_login_mends_it(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path, key=bytes(32))
        login = await logged_in(world)
        assert login.status.storage is Storage.ENCRYPTED
        world.key = bytes(range(32))
        restarted = world.login()
        with pytest.raises(LoginRequired, match="another key"):
            await restarted.access_token()
        await world.log_in(restarted)
        await restarted.access_token()

    play(main)


def test_without_a_refresh_token_the_login_lasts_as_long_as_its_token(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login(scopes="openid")
        await world.log_in(login)
        await asyncio.sleep(0.9 * HOUR)
        await login.access_token()
        await asyncio.sleep(0.2 * HOUR)
        with pytest.raises(LoginRequired, match="short time"):
            await login.access_token()

    play(main)


def test_a_provider_that_does_not_rotate_keeps_its_refresh_token(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        before = stored_refresh_token(world)
        answer = httpx.Response(200, json={"access_token": "a2", "token_type": "bearer"})
        inner = world.wire.inner
        world.wire.inner = httpx.MockTransport(
            lambda r: answer if r.url.path == TOKEN_PATH else httpx.Response(404)
        )
        await asyncio.sleep(2 * HOUR)
        assert await login.access_token() == "a2"
        assert stored_refresh_token(world) == before
        world.wire.inner = inner
        # No expires_in: a short life is assumed, not an endless one.
        await asyncio.sleep(600)
        assert await login.access_token() != "a2"

    play(main)


@pytest.mark.parametrize("body", [{}, {"token_type": "Bearer"}, {"access_token": ""}, []])
def test_an_answer_without_a_token_is_no_login(tmp_path: Path, body: object) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        before = world.store().read()
        await asyncio.sleep(2 * HOUR)
        world.wire.inner = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
        with pytest.raises(BackOfficeUnavailable):
            await login.access_token()
        assert world.store().read() == before

    play(main)


def test_logout_revokes_and_forgets(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        token = await login.access_token()
        assert await login.logout()
        assert world.store().read() is None
        assert world.provider.authenticate(token) is None
        with pytest.raises(LoginRequired):
            await login.access_token()
        assert await login.logout()

    play(main)


def test_logout_without_the_provider_forgets_here_and_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        world.office.away = True
        assert not await login.logout()
        assert world.store().read() is None

    play(main)


def test_client_credentials_need_no_person_and_no_file(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login(
            flow="client_credentials", client_id="server", client_secret="a secret/with+signs"
        )
        tokens = await asyncio.gather(*(login.access_token() for _ in range(8)))
        assert len(set(tokens)) == 1
        assert world.provider.authenticate(tokens[0]) == "server"
        assert world.store().read() is None
        await asyncio.sleep(2 * HOUR)
        again = await login.access_token()
        assert world.provider.authenticate(again) == "server"
        assert login.status.logged_in

    play(main)


def test_a_wrong_secret_needs_a_person_and_is_tried_again_later(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login(flow="client_credentials", client_id="server", client_secret="wrong")
        with pytest.raises(LoginRequired):
            await login.access_token()
        assert not login.status.logged_in
        world.provider.clients["server"] = replace(world.provider.clients["server"], secret="wrong")
        await asyncio.sleep(10)
        await login.access_token()
        assert login.status.logged_in

    play(main)


class DiesBeforeWriting:
    """Kills the process when a login is about to be written."""

    def before(self, work: Callable[..., object]) -> bool:
        return getattr(work, "func", work).__name__ != "write"

    def after(self, _work: Callable[..., object]) -> bool:
        return True


@pytest.mark.parametrize(("off_seconds", "good"), [(10, True), (120, False)])
def test_killed_between_answer_and_disk(tmp_path: Path, off_seconds: float, good: bool) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        await asyncio.sleep(2 * HOUR)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.executor_hook = DiesBeforeWriting()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(off_seconds):
                await login.access_token()
        loop.executor_hook = None
        restarted = world.login()
        if good:
            assert world.provider.authenticate(await restarted.access_token()) == "paybridge"
        else:
            with pytest.raises(LoginRequired):
                await restarted.access_token()

    play(main)


def test_a_state_directory_that_cannot_be_read_does_not_stop_the_service(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "login").write_text("a file where a directory should be")
        world = World(tmp_path)
        login = world.login()
        with pytest.raises(LoginRequired, match="cannot be read"):
            await login.access_token()
        (tmp_path / "login").unlink()
        await world.log_in(world.login())
        await login.access_token()

    play(main)


def test_a_provider_that_suddenly_calls_itself_otherwise_is_an_outage(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        await logged_in(world)
        inner = world.wire.inner
        world.wire.inner = httpx.MockTransport(
            lambda _: httpx.Response(200, json={"issuer": "https://evil.example/"})
        )
        restarted = world.login()
        await asyncio.sleep(0.8 * HOUR)
        assert await restarted.access_token()  # early: the old one is still good
        await asyncio.sleep(HOUR)
        with pytest.raises(BackOfficeUnavailable):
            await restarted.access_token()
        world.wire.inner = inner
        await asyncio.sleep(10)
        await restarted.access_token()

    play(main)


@pytest.mark.parametrize("code", sorted(PERSON_CODES))
def test_a_renewal_that_only_a_person_can_mend_is_a_login_that_is_needed(
    tmp_path: Path, code: str
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        world.provider.options.refuse_refresh = code
        await asyncio.sleep(2 * HOUR)
        with pytest.raises(LoginRequired):
            await login.access_token()
        assert not login.status.logged_in
        world.provider.options.refuse_refresh = ""
        await world.log_in(world.login())
        assert world.provider.authenticate(await login.access_token()) == "paybridge"

    play(main)


@pytest.mark.parametrize("code", ["server_error", "temporarily_unavailable", "invalid_request"])
def test_any_other_refusal_of_a_renewal_is_an_outage_and_ends_by_itself(
    tmp_path: Path, code: str
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        world.provider.options.refuse_refresh = code
        await asyncio.sleep(2 * HOUR)
        with pytest.raises(BackOfficeUnavailable):
            await login.access_token()
        world.provider.options.refuse_refresh = ""
        await asyncio.sleep(10)
        assert world.provider.authenticate(await login.access_token()) == "paybridge"

    play(main)


def test_a_login_without_a_refresh_token_is_warned_about_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        await world.log_in(world.login(scopes="openid"))

    with caplog.at_level(logging.WARNING):
        play(main)
    assert "gave no refresh token" in caplog.text


@pytest.mark.parametrize("code", sorted(CLIENT_CODES))
def test_a_refused_client_uses_its_token_to_the_end_and_is_told_at_once(
    tmp_path: Path, code: str
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = await logged_in(world)
        token = await login.access_token()
        world.provider.options.refuse_refresh = code
        for _ in range(3):  # the token is renewed a quarter of an hour early
            await asyncio.sleep(0.26 * HOUR)
            assert await login.access_token() == token
        assert world.provider.authenticate(token) == "paybridge"
        assert login.status.needed_since is not None, "there is time to mend it"
        await asyncio.sleep(0.25 * HOUR)
        with pytest.raises(LoginRequired):
            await login.access_token()
        world.provider.options.refuse_refresh = ""
        await asyncio.sleep(120)
        assert await login.access_token() != token
        assert login.status.needed_since is None

    play(main)
