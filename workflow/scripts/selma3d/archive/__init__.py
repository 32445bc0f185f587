"""Archives: what an edition's images come from, fetched, verified and written down.

`fetch` brings a source's files into a folder and writes a receipt; `refresh` brings a manifest up
to date with its BioStudies accession or Zenodo record; `manifest.read` reads manifests and
receipts.
"""

from . import manifest
from .download import DownloadSettings
from .fetching import fetch
from .manifest_update import refresh

__all__ = ["DownloadSettings", "fetch", "manifest", "refresh"]
