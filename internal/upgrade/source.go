package upgrade

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Source is the apt repository from which packages come, as the pinned configuration says.
type Source struct {
	URL     string // https://…, or file:/… of a stick
	Channel string // the distribution's name there
	Key     string // OpenPGP public key, armoured: what it has not signed is not taken
	Root    string // certificate of the authority of the server, in PEM; empty: the system's
}

var channelText = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,31}$`)

// Check reports what is wrong with the source.
func (s Source) Check() error {
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "file",
		u.User != nil || u.RawQuery != "" || strings.ContainsAny(s.URL, " \t\n\r\"[]"):
		return fmt.Errorf("update.url: %q is not allowed; write https://host/path, or file:/path", s.URL)
	case !channelText.MatchString(s.Channel):
		return fmt.Errorf("update.channel: %q is not allowed; small letters, digits, dots and hyphens are", s.Channel)
	case !strings.HasPrefix(strings.TrimSpace(s.Key), "-----BEGIN PGP PUBLIC KEY BLOCK-----"):
		return errors.New("update.key: it is no OpenPGP public key; write what \"gpg --armor --export\" prints")
	}
	return nil
}

// settings are apt's: it knows this source alone, takes nothing that the key has not signed, and keeps all that it has in a folder of ours.
const settings = `Dir::Etc::SourceList "%[1]s/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Trusted "/dev/null";
Dir::Etc::TrustedParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "%[1]s/lists";
Dir::Cache "%[1]s/cache";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
APT::Get::AllowUnauthenticated "false";
%[2]s`

// fetch has apt bring a version of a package, and keeps it under a path when its hash is the one that is signed.
func (s Source) fetch(ctx context.Context, folder, name, version, path string) error {
	if err := s.Check(); err != nil {
		return err
	}
	t := tool{}
	if err := s.configure(folder); err != nil {
		return fmt.Errorf("configure apt: %w", err)
	}
	conf := filepath.Join(folder, "apt.conf")
	// Without this option apt goes on with what it has had before where the repository is away or not signed as it should be.
	if _, err := t.run(ctx, folder, "apt-get", "-c", conf, "--quiet", "-o", "APT::Update::Error-Mode=any", "update"); err != nil {
		return fmt.Errorf("the repository is not there, or not signed by the pinned key: %w", err)
	}
	record, err := t.run(ctx, folder, "apt-cache", "-c", conf, "--quiet", "show", name+"="+version)
	if err != nil {
		return fmt.Errorf("the repository has no %s %s: %w", name, version, err)
	}
	hash := ""
	for line := range strings.Lines(record) {
		if rest, ok := strings.CutPrefix(line, "SHA256: "); ok && hash == "" {
			hash = strings.TrimSpace(rest)
		}
	}
	fresh := filepath.Join(folder, "new")
	if err := errors.Join(os.RemoveAll(fresh), os.MkdirAll(fresh, 0o755)); err != nil {
		return err
	}
	if _, err := t.run(ctx, fresh, "apt-get", "-c", conf, "--quiet", "download", name+"="+version); err != nil {
		return fmt.Errorf("get %s %s: %w", name, version, err)
	}
	got, err := filepath.Glob(filepath.Join(fresh, "*.deb"))
	if err != nil || len(got) != 1 {
		return errors.Join(err, fmt.Errorf("apt has brought %d packages", len(got)))
	}
	return errors.Join(keepDeb(got[0], path, hash), os.RemoveAll(fresh))
}

// configure writes what apt goes by.
func (s Source) configure(folder string) error {
	more := ""
	if s.Root != "" {
		more = fmt.Sprintf("Acquire::https::CaInfo %q;\n", filepath.Join(folder, "root.pem"))
	}
	for _, dir := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(folder, dir), 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"apt.conf": fmt.Sprintf(settings, folder, more), "key.asc": s.Key, "root.pem": s.Root,
		"sources.list": fmt.Sprintf("deb [signed-by=%s] %s %s main\n", filepath.Join(folder, "key.asc"), s.URL, s.Channel),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// keepDeb copies a package to where it stays, if its hash is the one that is wanted. It is on the disk when the function returns.
func keepDeb(from, to, hash string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), in)
	if err == nil {
		err = out.Sync()
	}
	err = errors.Join(err, out.Close())
	if err == nil && (hash == "" || fmt.Sprintf("%x", sum.Sum(nil)) != hash) {
		err = fmt.Errorf("the package %s is not the one that is signed", filepath.Base(from))
	}
	if err != nil {
		return errors.Join(err, os.Remove(to+".new"))
	}
	if err := os.Rename(to+".new", to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
