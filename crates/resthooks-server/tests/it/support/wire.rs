//! Just enough of HTTP/1.1 to be a client and a target of it: heads, and bodies whose length is said.

use std::io::{self, BufRead, Read};

/// A message's first line, its headers in their order (names in lower case), and its body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    pub(crate) first: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Reads one; nothing when the connection ends before it begins.
    pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first) = line(stream)? else { return Ok(None) };
        let mut message = Self { first, ..Self::default() };
        loop {
            let line = line(stream)?.ok_or_else(cut)?;
            let Some((name, value)) = line.split_once(':') else { break };
            message.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if let Some(length) = message.header("content-length") {
            let length = length.parse().map_err(|_| io::Error::other("content-length is no number"))?;
            message.body = vec![0; length];
            stream.read_exact(&mut message.body)?;
        } else if message.header("transfer-encoding") == Some("chunked") {
            message.body = chunks(stream)?;
        }
        Ok(Some(message))
    }

    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

fn chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream)?.ok_or_else(cut)?;
        let size =
            u64::from_str_radix(&size, 16).map_err(|_| io::Error::other("a chunk's size is no number"))?;
        if size == 0 {
            while line(stream)?.is_some_and(|line| !line.is_empty()) {}
            return Ok(body);
        }
        stream.take(size).read_to_end(&mut body)?;
        line(stream)?.ok_or_else(cut)?;
    }
}

/// A line without its end; nothing at the end of the stream.
fn line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    stream.read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(cut());
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended within a message")
}
