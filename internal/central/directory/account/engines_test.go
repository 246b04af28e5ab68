package account_test

import (
	"os"
	"testing"

	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/web/webtest"
)

// postgres is the server of all tests here.
var postgres dbtest.Shared

func TestMain(m *testing.M) { os.Exit(postgres.Main(m)) }

func onBoth(t *testing.T, test func(*testing.T, *webtest.World)) {
	t.Run("sqlite", func(t *testing.T) { test(t, webtest.New(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, webtest.At(t, postgres.Database(t))) })
}
