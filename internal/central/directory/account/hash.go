package account

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

// ErrBusy says that more passwords wait to be checked than the machine checks soon.
var ErrBusy = errors.New("too many sign-ins at once")

// The cost of one password: 64 MiB passed over five times by one core, 200 to 500 ms on machines of 2015 to 2026 (docs/security.md has what
// was measured). A hash names its own cost, so that old ones are still checked when these grow.
const (
	hashMemory  = 64 << 10 // KiB
	hashPasses  = 5
	hashThreads = 1
	hashSalt    = 16 // bytes
	hashLength  = 32 // bytes
	// maxMemory and maxPasses bound what a hash in the table may ask for.
	maxMemory = 256 << 10
	maxPasses = 20
)

// Hasher makes and checks hashes of passwords, few at a time. Its methods are safe for concurrent use.
type Hasher struct {
	random io.Reader
	places chan struct{} // a place for each hash that is being made
	line   chan struct{} // a place for each that is made or waits
	made   atomic.Int64
	cost   Cost
}

// Cost is what a hash costs: KiB of memory, passed over so many times.
type Cost struct{ Memory, Passes uint32 }

// FullCost is what a password's hash costs outside of tests.
func FullCost() Cost { return Cost{hashMemory, hashPasses} }

// OnceCost is what the hash of a password costs that was drawn, lets in once, and ends: 19 MiB passed over twice.
func OnceCost() Cost { return Cost{19 << 10, 2} }

// NewHasher returns a Hasher that uses at most so many cores, each with the memory of the cost, and lets ten times as many wait.
func NewHasher(cores int, c Cost, random io.Reader) *Hasher {
	cores = max(1, cores)
	return &Hasher{random: random, places: make(chan struct{}, cores), line: make(chan struct{}, 11*cores), cost: c}
}

// Made returns how many hashes were made, which tests count instead of time.
func (h *Hasher) Made() int64 { return h.made.Load() }

// Hash returns a password's hash in the usual form ($argon2id$v=19$…).
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, hashSalt)
	if _, err := io.ReadFull(h.random, salt); err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	key, err := h.key(ctx, password, salt, h.cost, hashLength)
	if err != nil {
		return "", err
	}
	return format(h.cost, salt, key), nil
}

// Matches reports whether a password has a hash. An empty hash is that of nobody, matches nothing, and takes as long.
func (h *Hasher) Matches(ctx context.Context, password, hash string) (bool, error) {
	c, salt, want, err := parse(hash)
	known := err == nil
	if hash == "" {
		c, salt, want = h.cost, make([]byte, hashSalt), make([]byte, hashLength)
	} else if err != nil {
		return false, fmt.Errorf("check a password: %w", err)
	}
	got, err := h.key(ctx, password, salt, c, len(want))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1 && known, nil
}

// key waits for its turn and makes a key. It is ErrBusy if too many wait.
func (h *Hasher) key(ctx context.Context, password string, salt []byte, c Cost, length int) ([]byte, error) {
	select {
	case h.line <- struct{}{}:
		defer func() { <-h.line }()
	default:
		return nil, ErrBusy
	}
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	case <-ctx.Done():
		return nil, fmt.Errorf("check a password: %w", ctx.Err())
	}
	h.made.Add(1)
	return argon2.IDKey([]byte(password), salt, c.Passes, c.Memory, hashThreads, uint32(length)), nil
}

func format(c Cost, salt, key []byte) string {
	e := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.Memory, c.Passes, hashThreads, e.EncodeToString(salt),
		e.EncodeToString(key))
}

// parse is the inverse of format.
func parse(hash string) (c Cost, salt, key []byte, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, errors.New("the hash is none of argon2id")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &c.Memory, &c.Passes); err != nil {
		return c, nil, nil, fmt.Errorf("the hash's cost: %w", err)
	}
	if c.Memory == 0 || c.Memory > maxMemory || c.Passes == 0 || c.Passes > maxPasses {
		return c, nil, nil, errors.New("the hash's cost is out of range")
	}
	if salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil {
		return c, nil, nil, fmt.Errorf("the hash's salt: %w", err)
	}
	if key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(key) == 0 {
		return c, nil, nil, errors.New("the hash's key is damaged")
	}
	return c, salt, key, nil
}

// stale reports whether a hash was made with another cost than new ones.
func (h *Hasher) stale(hash string) bool {
	c, _, _, err := parse(hash)
	return err != nil || c != h.cost
}
