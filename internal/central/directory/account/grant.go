package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"haochaping/internal/central/db"
)

// ErrGrant says that a grant makes no sense.
var ErrGrant = errors.New("不能这样授权 (this cannot be granted)")

// areaDigits is how many digits say the area of an office.
func (r Role) areaDigits() []int {
	switch r {
	case Province:
		return []int{0, 2}
	case City:
		return []int{4}
	case County:
		return []int{6}
	}
	return []int{0, 2, 4, 6, 9, AreaDigits}
}

// prepare completes and checks a grant that is to be written.
func (a *Accounts) prepare(g *Grant) (err error) {
	if g.Role.Scope() == InArea {
		g.Area = g.Scope
	}
	if g.From == 0 {
		g.From = a.now()
	}
	switch {
	case g.Role.Chinese() == "":
		return fmt.Errorf("%w: 没有角色 %q (no such role)", ErrGrant, g.Role)
	case !IsArea(g.Area):
		return fmt.Errorf("%w: %w", ErrGrant, errArea(g.Area))
	case !slices.Contains(g.Role.areaDigits(), len(stem(g.Area))):
		return fmt.Errorf("%w: %s 不是%s的区划级别 (the area's level does not fit the role)", ErrGrant, g.Area, g.Role.Chinese())
	case g.Scope == "" || len(g.Scope) > maxLogin || !printable(g.Scope) || strings.ContainsAny(g.Scope, " /"):
		return fmt.Errorf("%w: 范围 %q 不对 (the scope is no id)", ErrGrant, g.Scope)
	case g.To != 0 && g.To <= g.From:
		return fmt.Errorf("%w: 截止时间须在开始之后 (it ends before it begins)", ErrGrant)
	}
	g.ID, err = a.id("g-")
	return err
}

func insertGrant(ctx context.Context, tx *db.Tx, g Grant, source string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO account_grant (id, account, role, scope, area, valid_from, valid_to, source) VALUES ($1, $2, "+
		"$3, $4, $5, $6, $7, $8)",
		g.ID, g.Account, string(g.Role), g.Scope, g.Area, g.From, g.To, source)
	return err
}

const readGrant = "SELECT id, account, role, scope, area, valid_from, valid_to FROM account_grant "

func scanGrant(s db.Scanner) (g Grant, err error) {
	return g, s.Scan(&g.ID, &g.Account, &g.Role, &g.Scope, &g.Area, &g.From, &g.To)
}

// Grants returns all grants of an account, ended ones too, by when they begin.
func (a *Accounts) Grants(ctx context.Context, account string) ([]Grant, error) {
	all, err := db.Query(ctx, a.db, scanGrant, readGrant+"WHERE account = $1 ORDER BY valid_from, id", account)
	if err != nil {
		return nil, fmt.Errorf("read the grants of %s: %w", account, err)
	}
	return all, nil
}

// AllGrants returns the grants of all accounts by their ids.
func (a *Accounts) AllGrants(ctx context.Context) (map[string][]Grant, error) {
	all, err := db.Query(ctx, a.db, scanGrant, readGrant+"ORDER BY valid_from, id")
	if err != nil {
		return nil, fmt.Errorf("read the grants: %w", err)
	}
	by := make(map[string][]Grant)
	for _, g := range all {
		by[g.Account] = append(by[g.Account], g)
	}
	return by, nil
}

// Grant appoints an account. What the person sees changes with their next request.
func (a *Accounts) Grant(ctx context.Context, by By, x Account, g Grant) (Grant, error) {
	g.Account = x.ID
	if err := a.prepare(&g); err != nil {
		return g, err
	}
	err := a.do(ctx, by, "account.grant", x.ID, g.Area, g, func(ctx context.Context, tx *db.Tx, pos int64) error {
		if _, err := tx.ExecContext(ctx, "UPDATE account SET changed = $1 WHERE id = $2", pos, x.ID); err != nil {
			return err
		}
		return insertGrant(ctx, tx, g, "")
	})
	return g, err
}

// Revoke ends a grant now. What has ended stays written.
func (a *Accounts) Revoke(ctx context.Context, by By, g Grant) error {
	at := a.now()
	return a.do(ctx, by, "account.revoke", g.Account, g.Area, g, func(ctx context.Context, tx *db.Tx, pos int64) error {
		if _, err := tx.ExecContext(ctx, "UPDATE account SET changed = $1 WHERE id = $2", pos, g.Account); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE account_grant SET valid_to = $1 WHERE id = $2 AND (valid_to = 0 OR valid_to > $1)", max(at, g.From),
			g.ID)
		return err
	})
}

// Objects returns what somebody must be allowed to touch who changes an account: the area of its office, and where each of its grants
// lies that is not over. So nobody changes an account that sees more than they do.
func Objects(x Account, grants []Grant, at int64) []Object {
	all := []Object{{Area: x.Area}}
	for _, g := range grants {
		if g.To == 0 || g.To > at {
			all = append(all, Object{Area: g.Area})
		}
	}
	return all
}
