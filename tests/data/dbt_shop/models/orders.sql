select o.order_id, o.buyer_id, b.city, o.amount, o.bought_at
from {{ ref('stg_orders') }} as o
join {{ ref('stg_buyers') }} as b on b.buyer_id = o.buyer_id
where o.amount > 0
