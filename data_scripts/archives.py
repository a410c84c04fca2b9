"""Unpacks archives from an untrusted source."""

import errno
import shutil
import stat
import zipfile
from pathlib import Path

from tqdm import tqdm

from data_scripts import fetch
from data_scripts.fetch import DownloadError, bad_name, disk_error

# What a disk has reason to say. Whatever else goes wrong lies in the archive, which can make a reader fail in any way.
OF_THE_DISK = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE),
}


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip archive into a new folder, which appears whole or not at all.

    Raises:
        DiskError: there is no room, or no right to write.
        DownloadError: the archive is cut off or damaged, has a member that would land outside of ``folder``, is a link or
            cannot be stored, or unpacks to more than any corpus has.
    """
    aside = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir()
        _extract(archive, aside)
        aside.rename(folder)
    except DownloadError:
        raise
    except Exception as error:  # noqa: BLE001
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:
            raise disk_error(error, archive) from None
        raise DownloadError(
            f"{archive} is not a whole zip archive ({type(error).__name__}: {error}); run again to fetch it anew"
        ) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        members = [member for member in zipped.infolist() if not member.filename.startswith("__MACOSX/")]
        if found := bad_name(member.filename for member in members):
            raise DownloadError(f"{archive} has the member {found[0]!r}, {found[1]}; not unpacked")
        if links := [member.filename for member in members if stat.S_ISLNK(member.external_attr >> 16)]:
            raise DownloadError(f"{archive} has the member {links[0]!r}, which is a link; not unpacked")
        n_bytes = sum(member.file_size for member in members)
        if n_bytes > fetch.SIZE_LIMIT:
            raise DownloadError(
                f"{archive} says it unpacks to {n_bytes:,} bytes, more than {fetch.SIZE_LIMIT:,}; not unpacked"
            )
        if n_bytes > shutil.disk_usage(archive.parent).free:
            raise disk_error(OSError(errno.ENOSPC, ""), archive, n_bytes)
        for member in tqdm(members, desc=f"unpack {archive.name}", unit="file"):
            zipped.extract(member, folder)
