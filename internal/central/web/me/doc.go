// Package me is how people sign in and look after their own account: password, second factor, recovery codes, sessions and tokens.
//
// A page never says whether an account exists. Secrets (links, codes, tokens) are shown once and kept as hashes. What a borrowed browser
// must not do asks for the password again.
package me
