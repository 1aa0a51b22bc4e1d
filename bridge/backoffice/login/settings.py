"""What a person configures about the login to the back office. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Flow = Literal["auto", "device", "browser", "client_credentials"]

REDIRECT_PORT_DEFAULT = 8765
"""Below the ports that systems hand out by themselves; the provider must know it too."""


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """How paybridge logs in; no secret but `client_secret`, which comes from a credential.

    Attributes:
        issuer: Address of the OpenID provider, e.g. `https://shop.example/`.
        client_id: Id under which paybridge is registered there.
        client_secret: "" for a public client. Some providers give every client one, and the flow
            `client_credentials` cannot do without.
        scopes: What is asked for, separated by blanks; without `offline_access` a person must log
            in again every hour.
        flow: `device` shows a code to type elsewhere, `browser` opens one on this machine,
            `auto` takes the first of these that the provider offers; `client_credentials` needs
            no person, is for locked-down machines only and never chosen by `auto`.
        redirect_port: Port on 127.0.0.1 at which the browser comes back, 1 to 65535; the
            provider must know `http://127.0.0.1:PORT/callback` exactly.
        ca_file: Certificate authorities to trust instead of the usual ones.
        audience: Which API the tokens are for, where the provider wants that said; "": nothing.
        resource: The same as an address, in the words of RFC 8707.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: str = "openid offline_access"
    flow: Flow = "auto"
    redirect_port: int = REDIRECT_PORT_DEFAULT
    ca_file: Path | None = None
    audience: str = ""
    resource: str = ""

    def __post_init__(self) -> None:
        if not self.issuer or not self.client_id:
            raise ValueError("issuer and client_id must be given")
        if not 1 <= self.redirect_port <= 65535:
            raise ValueError("redirect_port must be 1 to 65535")
        if self.flow == "client_credentials" and not self.client_secret:
            raise ValueError("the flow client_credentials needs a client_secret")

    @property
    def target(self) -> dict[str, str]:
        """What a request for tokens says about the API that they are for.

        Source: RFC 8707, section 2; `audience` is the older word of some providers.
        """
        said = {"audience": self.audience, "resource": self.resource}
        return {name: value for name, value in said.items() if value}
