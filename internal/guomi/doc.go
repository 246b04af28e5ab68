// Package guomi closes envelopes by China's commercial cryptography (商用密码): SM2 signs and hands over the key, SM3 is the digest, SM4
// encrypts. The algorithms are github.com/emmansun/gmsm's; here is which of them is used for what, once.
//
// # An envelope
//
// A fresh key of SM4 encrypts the text in GCM (GB/T 17964) and goes along, encrypted by the receiver's SM2 key (GB/T 32918.4, in the
// ASN.1 of GB/T 35276). The sender signs all that can be seen of the envelope and the SM3 digest of the text (GB/T 32918.2, with the
// usual user id 1234567812345678), so that whoever opens it later can show what was said and by whom. Open checks the signature before it
// decrypts anything. A text that somebody could guess should hold something random, since its digest can be seen.
//
// What it does not do: it knows no certificates, and nothing of the line over which envelopes go, which is TLS or TLCP all the same.
package guomi
