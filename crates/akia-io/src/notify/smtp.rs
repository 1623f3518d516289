//! Mail through a mail server.
//!
//! The conversation is led step by step, for what is true afterwards depends on the step that fails: before the text is handed
//! over nothing was sent, and after it only the server's last answer tells. Proxies of the environment are for HTTP, and not
//! used here.

use std::path::PathBuf;
use std::time::Duration;

use akia_core::notice::Message;
use akia_core::settings::SmtpTls;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use lettre::message::{MultiPart, header};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message as MailMessage};
use tokio::time::timeout;

use super::ses::recipients;
use super::{Channel, DeliveryError, Kind, Receipt};
use crate::aws::{clean, read_ca_bundle};
use crate::secrets::Secret;

pub(super) const KIND: Kind = Kind { word: "smtp", is_idempotent: false, why: "a mail server sends whatever it gets" };

/// For connecting, and for each answer before the text.
const STEP: Duration = Duration::from_secs(30);
/// For the answer to the text: a server may look at it first (RFC 5321, section 4.5.3.2, would wait ten minutes).
const LAST_STEP: Duration = Duration::from_secs(120);

pub(super) struct Smtp {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) tls: SmtpTls,
    pub(super) login: Option<(String, Secret)>,
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) ca_bundle: Option<PathBuf>,
}

impl Channel for Smtp {
    fn kind(&self) -> Kind {
        KIND
    }

    fn place(&self) -> String {
        let to = if self.to.is_empty() { "the owner's address".to_owned() } else { self.to.join(", ") };
        format!("{to} through {}:{}", self.host, self.port())
    }

    fn body(&self, message: &Message) -> String {
        match self.mail(message, message.notice.at) {
            Ok((_, mail)) => String::from_utf8_lossy(&mail.formatted()).into_owned(),
            Err(error) => error.to_string(),
        }
    }

    fn deliver<'a>(&'a self, message: &'a Message, now: Timestamp) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let (to, mail) = self.mail(message, now)?;
            let mut connection = self.connect().await?;
            let delivered = self.converse(&mut connection, &to, &mail.formatted(), now).await;
            // The answer to QUIT changes nothing any more.
            let _ = timeout(STEP, connection.abort()).await;
            delivered
        })
    }
}

impl Smtp {
    fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            SmtpTls::StartTls => 587,
            SmtpTls::Implicit => 465,
            SmtpTls::None => 25,
        })
    }

    fn mail(&self, message: &Message, now: Timestamp) -> Result<(Vec<String>, MailMessage), DeliveryError> {
        let broken = |what: &str| DeliveryError::refused(format!("the mail cannot be put together: {what}"));
        let to = recipients(&self.to, message);
        if to.is_empty() {
            return Err(DeliveryError::refused("there is no address to send it to"));
        }
        let domain = self.from.rsplit_once('@').map_or("akia.invalid", |(_, domain)| domain);
        // The same in each try: a reader's program may know it again.
        let id = format!("<{}@{domain}>", message.notice.id);
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let mut builder = MailMessage::builder()
            .from(self.from.parse().map_err(|_| broken("from"))?)
            .subject(message.subject.clone())
            .message_id(Some(id))
            .date(std::time::UNIX_EPOCH + Duration::from_secs(seconds))
            .header(Automatic)
            .header(NoticeHeader(message.notice.id.to_string()));
        for address in &to {
            builder = builder.to(address.parse().map_err(|_| broken("to"))?);
        }
        let parts = MultiPart::alternative_plain_html(message.text.clone(), message.html.clone());
        Ok((to, builder.multipart(parts).map_err(|_| broken("body"))?))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, DeliveryError> {
        let place = format!("{}:{}", self.host, self.port());
        let failed = |error: &lettre::transport::smtp::Error| {
            DeliveryError::not_delivered(format!("{place}: {}", self.words(error)))
        };
        let late = |_| DeliveryError::not_delivered(format!("{place}: no answer within the time allowed"));
        let hello = ClientId::Domain("akia.invalid".to_owned());
        let server = (self.host.as_str(), self.port());
        let implicit = match self.tls {
            SmtpTls::Implicit => Some(self.trust()?),
            SmtpTls::StartTls | SmtpTls::None => None,
        };
        let connecting = AsyncSmtpConnection::connect_tokio1(server, Some(STEP), &hello, implicit, None);
        let mut connection = timeout(STEP, connecting).await.map_err(late)?.map_err(|error| failed(&error))?;
        if self.tls == SmtpTls::StartTls {
            let upgrading = connection.starttls(self.trust()?, &hello);
            timeout(STEP, upgrading).await.map_err(late)?.map_err(|error| failed(&error))?;
        }
        if let Some((user, password)) = &self.login {
            let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
            let asked = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
            timeout(STEP, asked).await.map_err(late)?.map_err(|error| {
                let reason = format!("{place}: the login is refused: {}", self.words(&error));
                if error.is_permanent() { DeliveryError::refused(reason) } else { DeliveryError::not_delivered(reason) }
            })?;
        }
        Ok(connection)
    }

    async fn converse(
        &self,
        connection: &mut AsyncSmtpConnection,
        to: &[String],
        mail: &[u8],
        now: Timestamp,
    ) -> Result<Receipt, DeliveryError> {
        let place = format!("{}:{}", self.host, self.port());
        let address = |text: &str| {
            text.parse::<Address>().map_err(|_| DeliveryError::refused("one of the addresses is none".to_owned()))
        };
        let mut commands = vec![Mail::new(Some(address(&self.from)?), Vec::new()).to_string()];
        for recipient in to {
            commands.push(Rcpt::new(address(recipient)?, Vec::new()).to_string());
        }
        commands.push(Data.to_string());
        for command in commands {
            let answered = timeout(STEP, connection.command(command)).await;
            let answered = answered
                .map_err(|_| DeliveryError::not_delivered(format!("{place}: no answer within the time allowed")))?;
            answered.map_err(|error| {
                let reason = format!("{place}: {}", self.words(&error));
                if error.is_permanent() { DeliveryError::refused(reason) } else { DeliveryError::not_delivered(reason) }
            })?;
        }
        match timeout(LAST_STEP, connection.message(mail)).await {
            Ok(Ok(response)) => {
                let said = clean(response.first_line().unwrap_or_default(), None);
                let code: Option<u16> = response.code().to_string().parse().ok();
                Ok(Receipt { status: code, ..Receipt::new(now, format!("taken for {}", to.join(", "))).id(Some(said)) })
            }
            Ok(Err(error)) if error.is_permanent() => {
                Err(DeliveryError::refused(format!("{place}: {}", self.words(&error))))
            }
            Ok(Err(error)) if error.is_transient() => {
                Err(DeliveryError::not_delivered(format!("{place}: {}", self.words(&error))))
            }
            Ok(Err(error)) => Err(DeliveryError::unknown(format!("{place}: {}", self.words(&error)))),
            Err(_) => Err(DeliveryError::unknown(format!("{place}: no answer to the text within the time allowed"))),
        }
    }

    fn trust(&self) -> Result<TlsParameters, DeliveryError> {
        let mut builder = TlsParameters::builder(self.host.clone());
        if let Some(path) = &self.ca_bundle {
            let failed =
                |reason: String| DeliveryError::not_delivered(format!("AWS_CA_BUNDLE {}: {reason}", path.display()));
            let pem = read_ca_bundle(path).map_err(failed)?;
            builder = builder.certificate_store(CertificateStore::None);
            let certificates =
                <rustls_pki_types::CertificateDer<'_> as rustls_pki_types::pem::PemObject>::pem_slice_iter(&pem);
            for certificate in certificates.flatten() {
                let certificate = Certificate::from_der(certificate.to_vec());
                builder = builder.add_root_certificate(certificate.map_err(|error| failed(error.to_string()))?);
            }
        }
        builder.build_rustls().map_err(|error| DeliveryError::not_delivered(format!("{}: {error}", self.host)))
    }

    fn words(&self, error: &lettre::transport::smtp::Error) -> String {
        let mut words = error.to_string();
        if let Some(source) = std::error::Error::source(error) {
            words = format!("{words}: {source}");
        }
        let words = clean(&words, None);
        match &self.login {
            Some((_, password)) => password.redact(&words),
            None => words,
        }
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834): nobody's holiday answers it.
#[derive(Clone)]
struct Automatic;

impl header::Header for Automatic {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// `X-Akia-Notice`: the notice's id.
#[derive(Clone)]
struct NoticeHeader(String);

impl header::Header for NoticeHeader {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("X-Akia-Notice")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), self.0.clone())
    }
}
