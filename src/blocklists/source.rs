//! Gets a list from where it is had, reads it, and takes out what must not be banned.

use std::net::IpAddr;

use tracing::Instrument as _;

use super::protected::Judgements;
use super::{Error, Inner};
use crate::domain::JailName;
use crate::domain::blocklist::{BlocklistSource, Parsed, parse};
use crate::fetch::{self, Download, Validators};
use crate::store::BlocklistRow;

/// What a list asks for now.
pub(super) enum Wanted {
    /// The same as at the last import.
    Unchanged,
    /// What stands in a new document, with what its server calls it.
    List(Parsed, Validators),
}

impl Inner {
    /// Reads a list; with `anew` even if it has not changed.
    pub(super) async fn wanted(&self, row: &BlocklistRow, anew: bool) -> Result<Wanted, Error> {
        let source = row.source.0.expose().parse().map_err(|_| Error::NotFound)?;
        let _place = self.documents.acquire().await.map_err(|_| Error::Stopping)?;
        let (document, validators) = match source {
            BlocklistSource::File(path) => {
                let folder = self.options.folder.clone();
                let read = move || fetch::read_file(&path, folder.as_deref());
                let read = tokio::task::spawn_blocking(read).await;
                (read.map_err(|_| Error::Interrupted)??, Validators::default())
            }
            BlocklistSource::Url(url) => {
                let known = match anew {
                    true => Validators::default(),
                    false => Validators {
                        etag: row.etag.clone(),
                        last_modified: row.last_modified.clone(),
                    },
                };
                let allow_private = self.options.allow_private;
                match fetch::download(url.expose(), &known, allow_private).await? {
                    Download::Unchanged => return Ok(Wanted::Unchanged),
                    Download::Document(document, validators) => (document, validators),
                }
            }
        };
        let (networks, bytes) = (row.networks, document.len());
        let span = tracing::info_span!("blocklist_parse", bangui.blocklist.bytes = bytes);
        let work = tokio::task::spawn_blocking(move || parse(&document, networks));
        let parsed = work.instrument(span).await.map_err(|_| Error::Interrupted)??;
        Ok(Wanted::List(parsed, validators))
    }

    /// Takes out of a list whom it must not lock out.
    pub(super) async fn protect(
        &self,
        parsed: &mut Parsed,
        jail: &JailName,
        judgements: &Judgements,
        caller: Option<IpAddr>,
    ) -> Result<(), Error> {
        let guards = self.guards(jail, judgements, caller).await?;
        guards.apply(&mut parsed.entries, &mut parsed.refused);
        Ok(())
    }
}
