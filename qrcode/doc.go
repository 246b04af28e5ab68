// Package qrcode is the signed rating link that the box shows as a QR code: what it claims, how it is written, how the
// centre verifies it, and its image.
//
// The link is HTTPS://<host>/R/<token>, in capitals because the QR code's alphanumeric mode has no others and packs two
// characters into 11 bits. The token is the unpadded base32 of
//
//	version (1 byte) | claim (21 bytes) | Ed25519 signature of the box (64 bytes)
//
// so that with a host of up to 29 characters it fits a QR code of version 7 at level M, which a phone reads from a small
// screen at arm's length. The claim holds the packed device, the visit, the minute of issue and flags. The box can
// issue links while it is offline; the centre needs no more than the box's public key to believe one.
//
// The package does not decide how long a link lives or whether it was used: that is the centre's, which knows the visit.
package qrcode
