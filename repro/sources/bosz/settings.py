"""What to fetch, from where and how patiently."""

from dataclasses import dataclass
from typing import Literal

from repro.errors import ParameterError
from repro.sources.bosz.release import Release
from repro.sources.bosz.release2017 import Bosz2017
from repro.sources.bosz.release2024 import Bosz2024


@dataclass(frozen=True)
class Settings:
    """Settings of source `bosz`.

    Attributes:
        release: 2017 (that of the papers) or 2024.
        base_url: folder of the release on the server; None is that of MAST.
        resolution: R of the files; `orig` is the unbroadened synthesis of 2024. The papers used 50000; with less than
            about 20000 the library's own broadening shows in PFS spectra.
        file_format: `fits` or `ascii`, of 2017.
        microturbulence: [km/s]; 2017 has 2 alone.
        connections: files downloaded at the same time.
        timeout: seconds without an answer or a byte after which an attempt counts as failed.
        attempts: tries per file, when the server fails (5xx), times out or drops the connection.
        pause: seconds before the second attempt, doubled before each further one.

    Raises:
        ParameterError: a value is out of range or the release has no such files.
    """

    release: Literal[2017, 2024] = 2017
    base_url: str | None = None
    resolution: int | Literal["orig"] = 50000
    file_format: Literal["fits", "ascii"] = "fits"
    microturbulence: float = 2.0
    connections: int = 4
    timeout: float = 60.0
    attempts: int = 5
    pause: float = 1.0

    def __post_init__(self) -> None:
        if self.connections < 1 or self.attempts < 1 or not self.timeout > 0 or not self.pause >= 0:
            raise ParameterError(
                f"bosz: connections {self.connections}, attempts {self.attempts}, timeout {self.timeout:g} and pause "
                f"{self.pause:g} must be at least 1, 1, more than 0 and at least 0"
            )
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ParameterError(
                f"bosz: base_url {self.base_url!r} must start with http:// or https://. A folder of files can be "
                "served with `python -m http.server --directory FOLDER 8000` and read as http://localhost:8000"
            )
        self.open()

    def open(self) -> Release:
        """The release with these settings. Raises ParameterError where it has no such files."""
        if self.release == 2017:
            return Bosz2017(self.resolution, self.file_format, self.microturbulence)
        if self.release == 2024:
            return Bosz2024(self.resolution, self.microturbulence)
        raise ParameterError(f"bosz: release {self.release} is not known; the releases are 2017 and 2024")

    def address(self, path: str) -> str:
        """Address of a file of the release. A plus sign must be written %2B: some servers read it as a blank."""
        base = self.base_url if self.base_url is not None else self.open().base_url
        return f"{base.rstrip('/')}/{path.replace('+', '%2B')}"
