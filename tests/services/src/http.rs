//! A very small HTTP/1.1 client for talking to a worker's REST API from tests and from the demo.
//!
//! One request per connection, whole answers only, `http` only. It exists so that tests need no HTTP stack; it
//! is not a client for anything else.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// Longest silence accepted from the server within one request.
const TIMEOUT: Duration = Duration::from_secs(100);

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code, as in `200`.
    pub status: u16,
    /// Header names in lower case, with their values, in the order received.
    pub headers: Vec<(String, String)>,
    /// The body, decoded from chunks when it came so.
    pub body: String,
}

impl Response {
    /// The first header of that name; any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }
}

/// Sends one request to `address` (`host:port`); a body is sent as JSON.
///
/// Every status is an answer, not an error; an error means that no well-formed answer came.
pub fn request(address: &str, method: &str, path: &str, body: Option<&str>) -> io::Result<Response> {
    let mut headers = vec![("accept", "application/json")];
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    send(address, method, path, &headers, body)
}

/// Sends one request with these headers and no others but those that HTTP itself needs; the path goes out as it is.
///
/// Errors as [`request`].
pub fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> io::Result<Response> {
    let target = address
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no address for {address}")))?;
    let mut stream = TcpStream::connect_timeout(&target, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if body.is_some() || matches!(method, "POST" | "PUT" | "PATCH") {
        head.push_str(&format!("content-length: {}\r\n", body.unwrap_or_default().len()));
    }
    head.push_str("\r\n");
    head.push_str(body.unwrap_or_default());
    stream.write_all(head.as_bytes())?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw)?;
    parse(&raw, method)
}

fn parse(raw: &[u8], method: &str) -> io::Result<Response> {
    let bad = |what: &str| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("malformed HTTP answer: {what}"),
        )
    };
    let end = raw
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or_else(|| bad("no end of head"))?;
    let head = std::str::from_utf8(&raw[..end]).map_err(|_| bad("head is not text"))?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| bad(&format!("status line `{status_line}`")))?;
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut response = Response {
        status,
        headers,
        body: String::new(),
    };
    let payload = &raw[end + 4..];
    let body = if method == "HEAD" {
        Vec::new()
    } else if response
        .header("transfer-encoding")
        .is_some_and(|v| v.eq_ignore_ascii_case("chunked"))
    {
        unchunk(payload).ok_or_else(|| bad("broken chunk"))?
    } else if let Some(length) = response.header("content-length") {
        let length: usize = length.parse().map_err(|_| bad("content-length"))?;
        payload
            .get(..length)
            .ok_or_else(|| bad("body shorter than content-length"))?
            .to_vec()
    } else {
        payload.to_vec()
    };
    response.body = String::from_utf8(body).map_err(|_| bad("body is not UTF-8"))?;
    Ok(response)
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line_end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = rest.get(line_end + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn answers_are_read_with_length_with_chunks_and_until_the_end() {
        let cases: [(&[u8], u16, &str); 4] = [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}"),
            (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[1\r\n1;x=y\r\n]\r\n0\r\n\r\n",
                200,
                "[1]",
            ),
            (b"HTTP/1.1 409 Conflict\r\n\r\nbusy", 409, "busy"),
            (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ];
        for (raw, status, body) in cases {
            let response = parse(raw, "GET").unwrap();
            assert_eq!((response.status, response.body.as_str()), (status, body));
        }
    }

    #[test]
    fn a_cut_answer_is_an_error() {
        for raw in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}"[..],
            b"HTTP/1.1 200",
            b"nonsense\r\n\r\n",
        ] {
            assert!(parse(raw, "GET").is_err(), "{:?}", String::from_utf8_lossy(raw));
        }
    }

    #[test]
    fn a_body_is_sent_with_its_type_and_length() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap().to_string();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut seen = Vec::new();
            let mut buffer = [0; 1024];
            while !seen.ends_with(b"{\"a\":1}") {
                let n = stream.read(&mut buffer).unwrap();
                assert_ne!(n, 0, "connection closed early");
                seen.extend_from_slice(&buffer[..n]);
            }
            stream
                .write_all(b"HTTP/1.1 201 Created\r\nLocation: /x\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
            String::from_utf8(seen).unwrap()
        });
        let response = request(&address, "POST", "/connectors", Some("{\"a\":1}")).unwrap();
        assert_eq!((response.status, response.header("LOCATION")), (201, Some("/x")));
        let seen = thread.join().unwrap();
        assert!(seen.starts_with("POST /connectors HTTP/1.1\r\n"), "{seen}");
        assert!(
            seen.contains("content-type: application/json\r\ncontent-length: 7\r\n"),
            "{seen}"
        );
    }
}
