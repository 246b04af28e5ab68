// Package policy shows what the level above sets (internal/central/policy): which level has set what, since when, by which number and
// signature, and how the line is. The province's office issues a policy after a preview of what changes; a city chooses within the
// bounds.
package policy
