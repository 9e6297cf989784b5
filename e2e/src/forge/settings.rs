//! Settings: the forge's configuration file, with secrets made for this one run.

use std::net::SocketAddr;

use data_encoding::BASE64URL_NOPAD;
use secrecy::SecretString;

/// Where the server sees its own data and what it reads, whatever their real paths are.
pub(super) const DATA: &str = "/mnt/data";
pub(super) const READ: &str = "/mnt/read";

/// A new secret of 256 bits.
pub(super) fn secret() -> String {
    BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>())
}

/// The configuration of a server at `address`. Secret, since it holds the keys that sign sessions.
pub(super) fn render(address: SocketAddr) -> SecretString {
    let (ip, port) = (address.ip(), address.port());
    let [lfs, key, internal, jwt] = std::array::from_fn(|_| secret());
    format!(
        "APP_NAME = Forge
RUN_MODE = prod
WORK_PATH = {DATA}

[server]
HTTP_ADDR = {ip}
HTTP_PORT = {port}
ROOT_URL = http://{address}/
STATIC_ROOT_PATH = {READ}
OFFLINE_MODE = true
DISABLE_SSH = true
LFS_START_SERVER = true
LFS_JWT_SECRET = {lfs}

[database]
DB_TYPE = sqlite3
PATH = {DATA}/gitea.db

[security]
INSTALL_LOCK = true
SECRET_KEY = {key}
INTERNAL_TOKEN = {internal}

[oauth2]
JWT_SECRET = {jwt}

[service]
DISABLE_REGISTRATION = true

; Webhooks go to addresses of pods and services, which are private.
[webhook]
ALLOWED_HOST_LIST = *
DELIVER_TIMEOUT = 10

[indexer]
ISSUE_INDEXER_TYPE = db

[picture]
DISABLE_GRAVATAR = true

[log]
MODE = console
LEVEL = info

[cron]
ENABLED = false
"
    )
    .into()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn every_run_has_its_own_secrets() {
        let address = "127.0.0.1:3000".parse().unwrap();
        let (one, other) = (render(address), render(address));
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert!(one.expose_secret().contains("ROOT_URL = http://127.0.0.1:3000/\n"));
    }
}
