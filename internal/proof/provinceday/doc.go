// Package provinceday plays a working day of a province: boxes in fourteen cities whose visits reach the centre over MQTT, or are handed to
// the journal as ingest does, while books, figures and orders follow; then silence passes, and all is compared with a recount.
//
// The recount counts what was played, as it is played, and uses nothing of the product's rules. "make province" plays 50,000 boxes of 30
// visits in 20 minutes, 10,000 of them over MQTT; a few boxes are among all tests.
package provinceday
