package sqlstore

import (
	"context"
	"database/sql"
)

// querier runs the statements of one transaction, or of none.
type querier interface {
	exec(ctx context.Context, text string, args []any) (sql.Result, error)
	query(ctx context.Context, text string, args []any) (*sql.Rows, error)
}

// plain runs texts on a *sql.Tx or a *sql.DB.
type plain struct {
	q interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	}
}

func (p plain) exec(ctx context.Context, text string, args []any) (sql.Result, error) {
	return p.q.ExecContext(ctx, text, args...)
}

func (p plain) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	return p.q.QueryContext(ctx, text, args...)
}

// affected is the number of rows that a statement wrote.
func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// pooled runs reads outside transactions on SQLite, prepared once per
// connection.
type pooled struct{ s *Store }

func (p pooled) exec(ctx context.Context, text string, args []any) (sql.Result, error) {
	if st := p.s.prepared(text); st != nil {
		return st.ExecContext(ctx, args...)
	}
	return plain{p.s.db}.exec(ctx, text, args)
}

func (p pooled) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if st := p.s.prepared(text); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return p.s.db.QueryContext(ctx, text, args...)
}

// all reads every row of a query.
func all[T any](ctx context.Context, q querier, scan func(row) (T, error), text string, args []any) ([]T, error) {
	rows, err := q.query(ctx, text, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return out, rows.Close()
}
