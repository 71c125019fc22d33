"""Local paths and HDFS: atomic publishing, fingerprints, JSON and models.

``urls`` says where, ``local`` and ``hdfs`` do what every kind of storage can (``files``), and the
rest is written once on top of that.
"""

from distkeras.storage.content import (
    exists,
    local_copy,
    read_bytes,
    read_json,
    sha256,
    write_bytes,
    write_json,
)
from distkeras.storage.fingerprints import fingerprint
from distkeras.storage.listing import Found, files_below, find
from distkeras.storage.models import load_model, save_model
from distkeras.storage.places import files_of
from distkeras.storage.publishing import abandoned, publish, publish_file, withdraw
from distkeras.storage.urls import Place, RemotePath, Url, local_path, locate, spark_url

__all__ = [
    "Found",
    "Place",
    "RemotePath",
    "Url",
    "abandoned",
    "exists",
    "files_below",
    "files_of",
    "find",
    "fingerprint",
    "load_model",
    "local_copy",
    "local_path",
    "locate",
    "publish",
    "publish_file",
    "read_bytes",
    "read_json",
    "save_model",
    "sha256",
    "spark_url",
    "withdraw",
    "write_bytes",
    "write_json",
]
