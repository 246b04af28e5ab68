// Package faultnet breaks networks for tests: a TCP proxy that misbehaves, brokers that are none, a line of packets in a
// network namespace that loses, delays and throttles, and a name server that fails.
//
// It is for tests only, but knows nothing of package testing: its functions return errors, and a test decides what is a
// failure and what a machine that cannot do it.
package faultnet
