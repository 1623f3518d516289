//! The sandbox as the AWS SDK's HTTP client: no port, no socket, and the SDK's own code up to the wire.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use crate::service::{Reply, Request, Service};

/// An HTTP client that ends in the sandbox.
#[derive(Debug, Clone)]
pub struct Connector {
    service: Arc<Service>,
    read_timeout: Option<Duration>,
}

impl Connector {
    pub(crate) fn new(service: Arc<Service>) -> Self {
        Self { service, read_timeout: None }
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self { service: Arc::clone(&self.service), read_timeout: settings.read_timeout() })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (service, limit) = (Arc::clone(&self.service), self.read_timeout);
        HttpConnectorFuture::new(async move {
            let request = read(&request).map_err(|error| ConnectorError::user(error.into()))?;
            let reply = match limit {
                None => service.answer(request).await,
                Some(limit) => tokio::time::timeout(limit, service.answer(request))
                    .await
                    .map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?,
            };
            match reply {
                Reply::Nothing => Err(ConnectorError::io(ConnectionBroken.into())),
                Reply::Message { status, headers, body } => {
                    let mut response = http::Response::builder().status(status);
                    for (name, value) in headers {
                        response = response.header(name, value);
                    }
                    let response = response
                        .body(SdkBody::from(body))
                        .map_err(|error| ConnectorError::other(error.into(), None))?;
                    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
                }
            }
        })
    }
}

fn read(request: &HttpRequest) -> Result<Request, NotHttp> {
    let uri: http::Uri = request.uri().parse().map_err(|_| NotHttp("the address is not a URI"))?;
    let body = request.body().bytes().ok_or(NotHttp("the body is a stream, which no IAM call has"))?;
    let mut headers: Vec<(String, String)> =
        request.headers().iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    // An HTTP client adds the host as it sends; the signature covers it already, without the port of the scheme.
    if let Some(authority) = uri.authority()
        && !headers.iter().any(|(name, _)| name == "host")
    {
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let host = match authority.port_u16() {
            Some(port) if port != usual => authority.as_str(),
            _ => authority.host(),
        };
        headers.push(("host".to_owned(), host.to_owned()));
    }
    Ok(Request {
        method: request.method().to_owned(),
        path_and_query: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        headers,
        body: bytes::Bytes::copy_from_slice(body),
        source_ip: "127.0.0.1".to_owned(),
    })
}

#[derive(Debug)]
struct ConnectionBroken;

impl fmt::Display for ConnectionBroken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("connection closed before message completed")
    }
}

impl std::error::Error for ConnectionBroken {}

#[derive(Debug)]
struct NotHttp(&'static str);

impl fmt::Display for NotHttp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for NotHttp {}
