//! A mail server that keeps what it is sent: SMTP (RFC 5321) with EHLO and AUTH PLAIN (RFC 4954),
//! without TLS.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A message as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mail {
    /// What AUTH PLAIN said, in base64.
    pub(crate) credentials: String,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Header and body, with the lines of quoted-printable put together again.
    pub(crate) text: String,
}

/// Listens for mail. Its threads end with the connections, or with the test.
pub(crate) struct Mailbox {
    port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl Mailbox {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::<Mutex<Vec<Mail>>>::default();
        let own = Arc::clone(&mails);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mails = Arc::clone(&own);
                // A client that breaks its connection has sent nothing that counts.
                thread::spawn(move || converse(&stream, &mails));
            }
        });
        Self { port, mails }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }
}

fn converse(mut stream: &TcpStream, mails: &Mutex<Vec<Mail>>) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let mut mail = Mail::default();
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes());
    say("220 mailbox.test ESMTP")?;
    while let Some(line) = lines.next() {
        let line = line?;
        // Verbs may come in either case.
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => say("250-mailbox.test\r\n250-8BITMIME\r\n250 AUTH PLAIN")?,
            "AUTH" => {
                line.rsplit(' ').next().unwrap_or_default().clone_into(&mut mail.credentials);
                say("235 2.7.0 welcome")?;
            }
            "MAIL" => {
                mail.from = address_of(&line);
                say("250 2.1.0 ok")?;
            }
            "RCPT" => {
                mail.to.push(address_of(&line));
                say("250 2.1.5 ok")?;
            }
            "DATA" => {
                say("354 end with a dot")?;
                mail.text = text(&mut lines)?;
                mails.lock().unwrap().push(mail.clone());
                say("250 2.0.0 taken")?;
            }
            "QUIT" => return say("221 2.0.0 bye"),
            _ => say("502 5.5.1 not here")?,
        }
    }
    Ok(())
}

/// What stands between the angle brackets of MAIL and RCPT.
fn address_of(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or("", |(address, _)| address).to_owned()
}

/// The lines up to the dot.
fn text(lines: &mut impl Iterator<Item = io::Result<String>>) -> io::Result<String> {
    let mut text = String::new();
    for line in lines {
        let line = line?;
        if line == "." {
            break;
        }
        // A dot in front of a line's own dot is the protocol's (RFC 5321, 4.5.2).
        let line = line.strip_prefix('.').unwrap_or(&line);
        // `=` at the end joins the lines (RFC 2045, 6.7).
        match line.strip_suffix('=') {
            Some(part) => text.push_str(part),
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    Ok(text.replace("=3D", "="))
}
