// Package upward shows what goes to the superior system (internal/central/upward): how much of it waits, is accepted and refused, and why;
// and lets offices send again what was refused. Programs follow the records as a feed. Nothing of a citizen's text stands here.
package upward
