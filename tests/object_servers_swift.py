"""OpenStack Swift with its S3 interface: four processes, one device, in one folder."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from object_servers import Server, _s3_server, find_free_port, require, running

_BIN: Final = Path(sys.executable).parent

_SWIFT: Final = """\
[swift-hash]
swift_hash_path_prefix = invented
swift_hash_path_suffix = invented
[storage-policy:0]
name = gold
default = yes
"""

_STORAGE: Final = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
devices = {folder}/devices
mount_check = false
swift_dir = {folder}
workers = 0
user = {user}
disable_fallocate = true
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

_PROXY: Final = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
workers = 0
user = {user}
[pipeline:main]
pipeline = catch_errors proxy-logging cache listing_formats bulk s3api tempauth slo dlo proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
s3_acl = no
location = us-east-1
check_bucket_owner = no
min_segment_size = 1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""

_RING: Final = """\
import sys
from swift.common.ring import RingBuilder
folder, name, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
builder = RingBuilder(2, 1, 0)
builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1", "weight": 1})
builder.rebalance()
builder.get_ring().save(f"{folder}/{name}.ring.gz")
"""


@contextlib.contextmanager
def start_swift(folder: Path) -> Iterator[Server]:
    """Swift, as its own documentation sets up one machine, behind its S3 interface."""
    servers = {
        kind: shutil.which(f"swift-{kind}-server", path=str(_BIN)) for kind in ("account", "container", "object")
    }
    proxy = shutil.which("swift-proxy-server", path=str(_BIN))
    require(proxy and all(servers.values()), "OpenStack Swift (PyPI: swift)")
    user = pwd.getpwuid(os.geteuid()).pw_name
    (folder / "devices" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(_SWIFT, encoding="utf-8")
    with contextlib.ExitStack() as stack:
        for kind, command in servers.items():
            port = find_free_port()
            subprocess.run([sys.executable, "-c", _RING, str(folder), kind, str(port)], check=True, capture_output=True)
            config = folder / f"{kind}.conf"
            config.write_text(_STORAGE.format(port=port, folder=folder, kind=kind, user=user), encoding="utf-8")
            stack.enter_context(running([str(command), str(config)], port, folder / f"{kind}.log"))
        port = find_free_port()
        config = folder / "proxy.conf"
        config.write_text(_PROXY.format(port=port, folder=folder, user=user), encoding="utf-8")
        stack.enter_context(running([str(proxy), str(config)], port, folder / "proxy.log"))
        yield _s3_server("swift", port, "test:tester", "testing")
