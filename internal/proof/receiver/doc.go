// Package receiver proves that the documents suffice: a receiver in JavaScript, written from docs/receiver.md, docs/asyncapi.yaml and
// docs/schema alone, is the centre of a real box over a real broker, and agrees with the product's own rules on whatever the tests draw.
// Its author may look at nothing else of this repository, and uses no library. Whatever has to be guessed is a fault of the documents.
//
// It is not shipped.
package receiver
