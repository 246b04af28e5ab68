// Package boxconfig is the configuration of a box: one TOML file, read by the daemon and by the administrators' tool.
//
// default.toml holds every field with its default and what it means; it is what ratingd -print-config prints, and Load
// starts from it, so that the documentation cannot differ from the code. What has no sensible default is mandatory: the
// device's name, the map from keys to levels, the centre's key and address. The map has none because the order of the
// keys differs on every keypad, and a wrong guess would turn bad evaluations into good ones unnoticed.
//
// An unknown field or a bad value is refused with its line and with what is allowed; nothing is corrected silently.
// The package also keeps the box's identity, the Ed25519 key that signs its batches and links.
package boxconfig
