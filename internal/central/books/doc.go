// Package books is what counts: evaluations, visits, standings, times and findings, made from the journal.
package books
