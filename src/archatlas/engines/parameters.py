"""Which machines do the work. Torch-free, and free of any engine's library: read before anything heavy is imported."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_CLIENT_ADDRESS = re.compile(r"ray://(?P<host>[^\s:/\[\]]+|\[[0-9A-Fa-f:]+\])(:(?P<port>[0-9]{1,5}))?/?$")
_CLIENT_PORT = 10_001
"""Where ``ray start --head`` listens for those who are not in the cluster."""


def _known(address: str) -> str:
    if address != "auto" and (not _CLIENT_ADDRESS.match(address) or not 0 < host_and_port(address)[1] < 2**16):
        raise ValueError(
            "should be null (Ray is started on this machine, for this run), auto (the cluster that this machine is in) "
            "or ray://host:port (a cluster elsewhere)"
        )
    return address


def host_and_port(address: str) -> tuple[str, int]:
    """Of an address that begins with ``ray://``."""
    found = _CLIENT_ADDRESS.match(address)
    assert found is not None
    return found["host"].strip("[]"), int(found["port"] or _CLIENT_PORT)


class EngineParameters(BaseModel):
    """Where independent tasks run: in processes of this machine, or on all machines of a Ray cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["local", "ray"] = Field(
        default="local", description="local: processes of this machine, as `device` says; ray: a Ray cluster"
    )
    address: Annotated[str, AfterValidator(_known)] | None = Field(
        default=None,
        description="of the cluster: null starts Ray on this machine, auto is the cluster that this machine is in, "
        "ray://host:port one elsewhere",
    )
    workers: int | None = Field(
        default=None, ge=1, le=100_000, description="tasks at a time; null: as many as the cluster has room for"
    )
    cpus_per_task: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="CPUs and threads of a super-network, its evaluation or a search; what is trained alone has one",
    )
    gpus_per_task: float = Field(
        default=0.0, ge=0, le=64, description="GPUs of a task: a whole number, or a part of one below 1"
    )
    max_retries: int = Field(
        default=3, ge=0, le=1000, description="times that a task is sent again after its worker or its machine has died"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.gpus_per_task > 1 and self.gpus_per_task != int(self.gpus_per_task):
            raise ValueError(
                f"`gpus_per_task` is {self.gpus_per_task:g}: Ray gives a part of one GPU, or whole ones; take "
                f"{int(self.gpus_per_task)} or {int(self.gpus_per_task) + 1}"
            )
        asked = [
            name
            for name in ("address", "workers", "cpus_per_task", "gpus_per_task", "max_retries")
            if getattr(self, name) != type(self).model_fields[name].default
        ]
        if self.name == "local" and asked:
            raise ValueError(
                f"`{asked[0]}` is {getattr(self, asked[0])}, but `name` is local: this machine's processes are as "
                "`device.workers` and `device.threads` say; set `name` to ray, or leave it as it is in conf/base"
            )
        return self
