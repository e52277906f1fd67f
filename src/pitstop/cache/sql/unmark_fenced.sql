-- The fence was not had: the settings as they were before.
SELECT set_config('pitstop.fenced', coalesce(:fenced, ''), true),
       set_config('idle_in_transaction_session_timeout', :idle, true)
