// Package wire is the contract between the box and the centre over MQTT 3.1.1: topics, payloads and signatures. Both ends
// import it, so that they cannot drift apart; docs/asyncapi.yaml describes the same for everybody else.
//
// Two rules carry the rest. A batch holds the very bytes of the records in the box's log, so that the hashes which the
// box computed hold in the centre's books; nothing here marshals a record again. And each side signs what it says: the
// box its batches, the centre its acknowledgements, commands and configurations, so that a broker in between can delay
// and repeat, but not invent or release anything.
//
// Decoders accept only what is within the bounds stated here, return an error that says what is wrong, and ignore fields
// that they do not know. They check form and never signatures, which Open and Batch.Verify do: a reader must first learn
// whose key to use. The package does no input or output.
package wire
