select city, sum(amount) as revenue, count(*) as orders from {{ ref('orders') }} group by city
