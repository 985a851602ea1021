"""`[service]` of `drone.toml` and `ground.toml`: how a service shows itself on its own machine."""

from typing import Final

import msgspec

from wire.locality import NotAllowedError, check_address, parse_loopback

LOG_FORMATS: Final = ("text", "json")


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`metrics` is a loopback address where every counter is served as Prometheus text."""

    metrics: str | None = None
    log: str = "text"


def check_service(service: Service) -> None:
    """Refuse values that are well-typed but not allowed.

    Raises:
        NotAllowedError: The first such value.
    """
    if service.metrics is not None:
        check_address("service.metrics", service.metrics, parse_loopback)
    if service.log not in LOG_FORMATS:
        raise NotAllowedError("service.log", service.log, " or ".join(map(repr, LOG_FORMATS)))
