//! Answers a sender that asks whether hooks are wanted: they are. By each of the ways there are, see `docs/intent.md`.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::Full;

const HOOK_SECRET: HeaderName = HeaderName::from_static("x-hook-secret");
const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const CHALLENGE: &str = "hub.challenge";

/// The answer, and by which policy it was asked for; `None` for what is no such question.
pub(super) fn confirm<B>(request: &Request<B>) -> Option<(Response<Full<Bytes>>, &'static str)> {
    let mut response = Response::new(Full::default());
    match *request.method() {
        Method::POST => {
            let secret = request.headers().get(&HOOK_SECRET)?;
            response.headers_mut().insert(HOOK_SECRET, secret.clone());
            Some((response, "echo"))
        }
        Method::GET => {
            let pairs = url::form_urlencoded::parse(request.uri().query()?.as_bytes());
            let challenge = pairs.into_iter().find(|(name, _)| name == CHALLENGE)?.1.into_owned();
            response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            *response.body_mut() = Full::new(challenge.into());
            Some((response, "challenge"))
        }
        Method::OPTIONS => {
            let origin = request.headers().get(&REQUEST_ORIGIN)?;
            response.headers_mut().insert(ALLOWED_ORIGIN, origin.clone());
            Some((response, "options"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn request(method: &str, uri: &str, header: (&str, &str)) -> Request<()> {
        Request::builder().method(method).uri(uri).header(header.0, header.1).body(()).unwrap()
    }

    #[tokio::test]
    async fn each_question_has_its_answer() {
        let (echo, _) = confirm(&request("POST", "/", ("x-hook-secret", "s3cret"))).unwrap();
        assert_eq!(echo.headers()["x-hook-secret"], "s3cret");
        let uri = "/hooks?a=1&hub.mode=subscribe&hub.challenge=x%2Dy_z";
        let (challenge, _) = confirm(&request("GET", uri, ("a", "b"))).unwrap();
        assert_eq!(challenge.into_body().collect().await.unwrap().to_bytes(), "x-y_z");
        let (granted, _) =
            confirm(&request("OPTIONS", "/", ("webhook-request-origin", "a.example"))).unwrap();
        assert_eq!(granted.headers()["webhook-allowed-origin"], "a.example");
        for (method, uri) in
            [("POST", "/"), ("GET", "/"), ("GET", "/?hub.mode=x"), ("OPTIONS", "/"), ("PUT", "/")]
        {
            assert!(confirm(&request(method, uri, ("webhook-id", "x"))).is_none(), "{method} {uri}");
        }
    }
}
