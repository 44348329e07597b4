select id as order_id, buyer_id, cast(amount as decimal(10, 2)) as amount, bought_at from {{ ref('raw_orders') }}
