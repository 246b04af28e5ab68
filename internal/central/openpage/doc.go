// Package openpage shows everybody what was published (article 19): pages and open data, without signing in. It reads dossiers in the state
// Published and nothing else. A published result never changes; a correction is another one, and both say so.
package openpage
