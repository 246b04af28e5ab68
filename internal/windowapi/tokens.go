package windowapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"haochaping/internal/keptfile"
)

// TokensFile is the name of the list of tokens in the box's state folder.
const TokensFile = "tokens.json"

// tokenPrefix lets people and secret scanners know a token when they see one.
const tokenPrefix = "hcp_"

// maxTokens bounds the list: a box has one window, and its PCs are few.
const maxTokens = 200

// Token is what the box keeps of a PC's token, which is not the token.
type Token struct {
	ID      string    `json:"id"`   // for revoking it
	Name    string    `json:"name"` // of the PC, for people
	Hash    string    `json:"hash"` // SHA-256 of the token in hex; the token has 256 random bits, so that it needs no slow hash
	Created time.Time `json:"created"`
}

// ErrNoToken says that there is no token with that ID.
var ErrNoToken = errors.New("there is no such token")

func hashToken(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// ReadTokens returns the tokens that the file lists, oldest first, and none if there is no file.
func ReadTokens(path string) ([]Token, error) {
	b, err := keptfile.ReadSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the tokens: %w", err)
	}
	var file struct {
		Tokens []Token `json:"tokens"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("read the tokens: %s: %w", path, err)
	}
	return file.Tokens, nil
}

// AddToken draws a token for the PC with the given name and returns it. It is not kept: who loses it needs another one.
func AddToken(path, name string, random io.Reader, now time.Time) (secret string, t Token, err error) {
	if err := checkName(name); err != nil {
		return "", t, err
	}
	var drawn [36]byte
	if _, err := io.ReadFull(random, drawn[:]); err != nil {
		return "", t, fmt.Errorf("draw a token: %w", err)
	}
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(drawn[:32])
	t = Token{ID: hex.EncodeToString(drawn[32:]), Name: name, Hash: hashToken(secret), Created: now.UTC().Truncate(time.Second)}
	return secret, t, changeTokens(path, func(all []Token) ([]Token, error) {
		if len(all) >= maxTokens {
			return nil, fmt.Errorf("there are %d tokens already; revoke those that nobody uses", len(all))
		}
		return append(all, t), nil
	})
}

// KeepToken adds a token that somebody else has drawn, of which only the hash is known here. One that is there changes nothing.
func KeepToken(path string, t Token) error {
	id, err := hex.DecodeString(t.ID)
	hash, also := hex.DecodeString(t.Hash)
	if err := errors.Join(err, also, checkName(t.Name)); err != nil || len(id) != 4 || len(hash) != sha256.Size {
		return errors.Join(errors.New("a token has an ID of eight hexadecimal digits, a name, and a hash of 64"), err)
	}
	return changeTokens(path, func(all []Token) ([]Token, error) {
		if slices.ContainsFunc(all, func(x Token) bool { return x.ID == t.ID && x.Hash == t.Hash }) {
			return all, nil
		}
		if len(all) >= maxTokens {
			return nil, fmt.Errorf("there are %d tokens already; revoke those that nobody uses", len(all))
		}
		return append(all, t), nil
	})
}

// checkName reports what is wrong with the name of a PC.
func checkName(name string) error {
	switch {
	case name == "" || utf8.RuneCountInString(name) > 60 || !utf8.ValidString(name):
		return errors.New("a token's name has 1 to 60 characters")
	case slices.ContainsFunc([]rune(name), unicode.IsControl):
		return errors.New("a token's name has no control characters")
	}
	return nil
}

// RevokeToken takes a token off the list. The daemon refuses it from the next request on.
func RevokeToken(path, id string) error {
	return changeTokens(path, func(all []Token) ([]Token, error) {
		i := slices.IndexFunc(all, func(t Token) bool { return t.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("%q: %w", id, ErrNoToken)
		}
		return slices.Delete(all, i, i+1), nil
	})
}

// changeTokens replaces the file, whole or not at all, while no other program does.
func changeTokens(path string, change func([]Token) ([]Token, error)) (err error) {
	// Not the folder itself, which the running daemon has locked.
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the tokens: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock the tokens: %w", err)
	}
	if err := keptfile.Give(lock); err != nil {
		return fmt.Errorf("lock the tokens: %w", err)
	}
	all, err := ReadTokens(path)
	if err != nil {
		return err
	}
	if all, err = change(all); err != nil {
		return err
	}
	b, err := json.MarshalIndent(struct {
		Tokens []Token `json:"tokens"`
	}{append([]Token{}, all...)}, "", "  ")
	if err != nil {
		return err
	}
	return keptfile.Replace(path, append(b, '\n'))
}

// Tokens is the list of tokens as a running daemon uses it: it reads the file again when that has changed. A file that cannot
// be read lets nobody in. It is safe for concurrent use.
type Tokens struct {
	path   string
	logger *slog.Logger

	mu      sync.Mutex
	info    fs.FileInfo
	byHash  map[string]Token
	trouble error // why the file cannot be read
}

// NewTokens returns the tokens of a file, which may not exist yet.
func NewTokens(path string, logger *slog.Logger) *Tokens {
	return &Tokens{path: path, logger: logger, byHash: make(map[string]Token)}
}

// Check returns the token that a client has sent, if it is on the list.
func (t *Tokens) Check(secret string) (Token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refresh()
	found, ok := t.byHash[hashToken(secret)]
	return found, ok
}

// Trouble returns why the tokens cannot be read, so that nobody is let in by one; nil if they can.
func (t *Tokens) Trouble() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refresh()
	return t.trouble
}

// refresh needs mu.
func (t *Tokens) refresh() {
	info, err := os.Stat(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.info, t.trouble = nil, nil
		clear(t.byHash)
		return
	case err == nil && t.trouble == nil && t.info != nil && os.SameFile(info, t.info) && info.ModTime().Equal(t.info.ModTime()) &&
		info.Size() == t.info.Size():
		return
	}
	clear(t.byHash)
	t.info = info
	var all []Token
	if err == nil {
		all, err = ReadTokens(t.path)
	}
	for _, k := range all {
		t.byHash[k.Hash] = k
	}
	if err != nil && (t.trouble == nil || t.trouble.Error() != err.Error()) {
		t.logger.Error("the tokens of the window's PCs cannot be read, so none is let in; run ratingctl token list", "error", err)
	}
	t.trouble = err
}
