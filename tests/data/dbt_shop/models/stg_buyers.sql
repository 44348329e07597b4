select id as buyer_id, md5(email) as email_hash, city from {{ ref('raw_buyers') }}
