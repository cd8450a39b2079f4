//! TLS with a valid certificate that names the host: `verify-full`.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::Tls;
use token_store::StoreError;

/// Loads the certificates. `Io` if a file cannot be read or is not PEM, or if there is no trusted certificate. Without
/// TLS, the driver does not use the connector, and it trusts nobody.
pub(crate) fn connector(tls: Option<&Tls>) -> Result<MakeRustlsConnect, StoreError> {
    let refused = |error: io::Error| StoreError::Io(Arc::new(error));
    let mut roots = RootCertStore::empty();
    match tls.map(|tls| &tls.roots) {
        None => {}
        Some(Some(path)) => {
            for certificate in certificates(path).map_err(refused)? {
                roots.add(certificate).map_err(|error| refused(invalid(path, error)))?;
            }
        }
        // Unreadable certificates are skipped: they are not trusted.
        Some(None) => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if tls.is_some() && roots.is_empty() {
        return Err(refused(io::Error::new(
            io::ErrorKind::NotFound,
            "no certificate to trust; name one: sslrootcert",
        )));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(io::Error::other(error)))?
        .with_root_certificates(roots);
    let config = match tls.and_then(|tls| tls.identity.as_ref()) {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate).map_err(refused)?;
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| refused(invalid(key, error)))?;
            config
                .with_client_auth_cert(chain, private)
                .map_err(|error| refused(invalid(certificate, error)))?
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    read().map_err(|error| invalid(path, error))
}

fn invalid(path: &Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {error}", path.display()))
}
