//! Content encodings: a body unpacked, within bounds of what it becomes and of what that takes.

use std::io::{self, Read};

use axum::body::Bytes;
use brotli::Decompressor;
use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::refusal::Refusal;

/// The largest window that zstd may ask for, as a power of two: 8 MiB (RFC 9659).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
const BROTLI_BUFFER_BYTES: usize = 4096;

/// Unpacks a body that may become so many bytes, by the name that HTTP has for how it is packed.
///
/// # Errors
/// When it becomes more, isn't packed like that, or nobody knows the name.
pub fn unpack(encoding: &str, body: Bytes, bytes_max: usize) -> Result<Bytes, Refusal> {
    let unpacked = match encoding.to_ascii_lowercase().as_str() {
        "" | "identity" => return Ok(body),
        "gzip" => gunzip(&body, bytes_max),
        "deflate" => bounded(encoding, Ok(ZlibDecoder::new(&*body)), bytes_max),
        "br" => bounded(encoding, Ok(Decompressor::new(&*body, BROTLI_BUFFER_BYTES)), bytes_max),
        "zstd" => bounded(encoding, zstd_decoder(&body), bytes_max),
        _ => {
            let what = "send gzip, deflate, br or zstd";
            let what = format!("The body is encoded as {encoding:?}: {what}.");
            Err(Refusal::Unsupported(what))
        }
    };
    unpacked.map(Bytes::from)
}

/// Unpacks gzip that may become so many bytes.
///
/// # Errors
/// When it becomes more, or isn't gzip.
pub fn gunzip(body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    bounded("gzip", Ok(MultiGzDecoder::new(body)), bytes_max)
}

fn zstd_decoder(body: &[u8]) -> io::Result<impl Read> {
    let mut decoder = zstd::Decoder::with_buffer(body)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

fn bounded(
    encoding: &str,
    decoder: io::Result<impl Read>,
    bytes_max: usize,
) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let read = decoder.and_then(|it| it.take(bytes_max as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| Refusal::Undecodable(format!("bad {encoding}: {error}")))?;
    if bytes.len() > bytes_max {
        let what = format!("The body is larger than {bytes_max} bytes once decompressed.");
        return Err(Refusal::TooLarge(what));
    }
    Ok(bytes)
}
